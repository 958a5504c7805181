"""The limit on bytes per second, by a clock of the test's own."""

from collections import defaultdict
from threading import Thread, current_thread
from time import sleep

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.bandwidth import UNLIMITED, Bandwidth
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from tests.s3.steps import KEY, Progress, put, random_bytes, store_of

MIB = 1024 * 1024


class Clock:
    """Time that passes only by sleeping; sleepers of several threads sleep side by side."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def limited(clock: Clock, bytes_per_second: int = MIB) -> Bandwidth:
    return Bandwidth(bytes_per_second=bytes_per_second, clock=lambda: clock.now, sleep=clock.sleep)


def test_without_a_limit_nothing_waits() -> None:
    clock = Clock()
    unlimited = Bandwidth(sleep=clock.sleep)
    unlimited.take(10**12)
    UNLIMITED.take(10**12)
    assert clock.slept == []


def test_in_the_long_run_the_limit_holds() -> None:
    # Given
    clock = Clock()
    bandwidth, began = limited(clock), clock.now
    # When a hundred bodies of half a second each are sent
    for _ in range(100):
        bandwidth.take(MIB // 2)
    # Then all took fifty seconds, but for the second that may be taken at once, and the last body
    assert clock.now - began == pytest.approx(50 - 1 - 0.5)


def test_a_large_body_is_sent_at_once_and_the_next_waits_for_it() -> None:
    clock = Clock()
    bandwidth = limited(clock)
    bandwidth.take(16 * MIB)
    assert clock.slept == []
    bandwidth.take(1)
    assert sum(clock.slept) == pytest.approx(15)


def test_a_pause_saves_no_more_than_a_second() -> None:
    # Given an hour without transfers
    clock = Clock()
    bandwidth = limited(clock)
    bandwidth.take(1)
    clock.now += 3_600
    began = clock.now
    # When
    for _ in range(10):
        bandwidth.take(MIB)
    # Then
    assert clock.now - began == pytest.approx(8)


def test_threads_share_it() -> None:
    # Given a clock that stands, and eight threads
    waits: dict[Thread, float] = defaultdict(float)

    def wait(seconds: float) -> None:
        waits[current_thread()] += seconds

    bandwidth = Bandwidth(bytes_per_second=MIB, clock=lambda: 0.0, sleep=wait)
    threads = [Thread(target=bandwidth.take, args=(MIB,)) for _ in range(8)]
    # When each sends what a second allows
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Then each waits for those before it
    assert sorted(waits.values()) == [pytest.approx(seconds) for seconds in range(1, 7)]


def test_who_waits_looks_whether_to_go_on_and_takes_nothing_if_not() -> None:
    # Given a body that is to be paid for
    clock = Clock()
    bandwidth = limited(clock)
    bandwidth.take(16 * MIB)
    looks = iter([None, None, LeaseLostError()])

    def go_on() -> None:
        if error := next(looks):
            raise error

    # When the lease of the next one is lost while it waits
    with pytest.raises(LeaseLostError):
        bandwidth.take(100 * MIB, go_on)
    # Then it has waited no longer, and the one after waits only for the first
    assert sum(clock.slept) == pytest.approx(1)
    bandwidth.take(1)
    assert sum(clock.slept) == pytest.approx(15)


@pytest.mark.parametrize(("limit", "size"), [(None, 256), (4096, 256), (1024, 128)])
def test_pieces_are_small_where_the_limit_is_low(limit: int | None, size: int) -> None:
    assert Bandwidth(bytes_per_second=limit).piece(256) == size


def test_an_upload_that_is_stopped_waits_for_no_thread(s3_client: S3Client, bucket: str) -> None:
    # Given parts that would wait for days, and a lease that is lost before the third of them
    bandwidth = Bandwidth(bytes_per_second=8, clock=lambda: 0.0, sleep=lambda _: sleep(0.001))
    store = store_of(s3_client, bucket, part_size=MIB, bandwidth=bandwidth)
    # When, then it ends
    with pytest.raises(LeaseLostError):
        put(store, random_bytes(9 * MIB), Progress(lost_at=3))


def test_every_body_takes_its_bytes(s3_client: S3Client, bucket: str) -> None:
    # Given a store and a reader that share a limit, which is never reached
    clock = Clock()
    bandwidth = limited(clock, 10**12)
    store = store_of(s3_client, bucket, part_size=MIB, bandwidth=bandwidth)
    reader = S3ObjectReader(client=s3_client, bucket=bucket, bandwidth=bandwidth)
    taken = bandwidth._paid_at
    # When an object in parts and a small one are sent, and the first is read
    put(store, random_bytes(3 * MIB))
    put(store, b"small", key="another-key")
    source = reader.find(ObjectAddress(bucket, KEY))
    assert source is not None
    read = sum(map(len, reader.read(source)))
    # Then the limit has seen each byte of them
    assert taken == float("-inf")
    paid = bandwidth._paid_at - (clock.now - 1)
    assert paid * 10**12 == pytest.approx(read + 3 * MIB + len(b"small"), rel=0.01)
