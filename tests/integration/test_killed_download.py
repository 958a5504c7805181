"""A download that is killed, disturbed or not alone: on a real S3, a real disk, real processes."""

import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import (
    LeaseLostError,
    ObjectReplacedError,
    StoreUnavailableError,
    TargetBusyError,
    TargetExistsError,
)
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.transfers.ranged_download import Fetch, Fetched
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.target import Target
from tests.buckets import client_of
from tests.faults.s3_proxy import FaultyS3, Request, S3Fault
from tests.integration.download_process import RANGE, RESULTS, THREADS

pytestmark = pytest.mark.usefixtures("no_backoff")

RANGES = 64
MARK = 32
KEY = "jobs/12/2025/10/23/211500/run_4_results.zip"
ROOT = Path(__file__).parents[2]


@cache
def content_of(seed: int) -> bytes:
    return random.Random(seed).randbytes(RANGES * RANGE)  # noqa: S311 - the same bytes in every run


@dataclass(frozen=True)
class Download:
    """Of one object, through a proxy that counts what is asked for."""

    s3: FaultyS3
    client: S3Client
    bucket: str
    root: Path
    content: bytes

    @property
    def reader(self) -> S3ObjectReader:
        return S3ObjectReader(client=client_of(self.s3.url), bucket=self.bucket)

    @property
    def source(self) -> BucketObject:
        source = self.reader.find(ObjectAddress(self.bucket, KEY))
        assert source is not None
        return source

    @property
    def target(self) -> Target:
        return Workspace(self.root).target(RESULTS)

    @property
    def file(self) -> Path:
        return self.root / "job_12" / "run_4_results.zip"

    @property
    def partial(self) -> Path:
        return self.root / "job_12" / ".run_4_results.zip.part"

    @property
    def marked(self) -> list[int]:
        """The ranges that have a mark, at the end of the partial file."""
        marks = self.partial.read_bytes()[-RANGES * MARK :]
        return [number for number in range(RANGES) if any(marks[number * MARK :][:MARK])]

    @property
    def ranges_done(self) -> int:
        return len(self.marked)

    def put(self, content: bytes) -> None:
        self.client.put_object(
            Bucket=self.bucket, Key=KEY, Body=content, ChecksumAlgorithm="SHA256"
        )

    def fetch(self, source: BucketObject | None = None, *, replaces: bool = False) -> Fetched:
        source = source or self.source
        self.s3.counts.clear()
        fetch = Fetch(reader=self.reader, range_size=RANGE, threads=THREADS)
        return fetch(source, self.target, replace=replaces, checkpoint=lambda: None)

    @contextmanager
    def standing_still(self, at: int) -> Iterator[None]:
        """While a process downloads, and has so many bytes; it is killed in the end."""
        arguments = [self.s3.url, self.bucket, KEY, str(self.root), str(at)]
        module = "tests.integration.download_process"
        command = [sys.executable, "-m", module, *arguments]
        with lifeline.start(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"still\n"
                yield
            finally:
                process.kill()


@pytest.fixture
def download(
    ministack: Ministack, s3_client: S3Client, bucket: str, tmp_path: Path
) -> Iterator[Download]:
    with FaultyS3(ministack.port) as proxy:
        download = Download(proxy, s3_client, bucket, tmp_path, content_of(1))
        download.put(download.content)
        yield download


def is_get(request: Request) -> bool:
    return request.operation == "GetObject"


class TestKilled:
    @pytest.mark.parametrize("fraction", [0.1, 0.5, 0.8])
    def test_a_killed_download_goes_on(self, download: Download, fraction: float) -> None:
        # Given a process that has a part of the object, and is killed
        received = int(fraction * RANGES)
        with download.standing_still(received * RANGE):
            assert not download.file.exists()
        done = download.ranges_done
        assert done >= received - THREADS
        # When another takes over
        fetched = download.fetch()
        # Then it fetches the ranges that are missing: no more than the rest, and one a thread
        assert download.s3.counts["GetObject"] == RANGES - done <= RANGES - received + THREADS
        assert fetched.bytes_fetched == (RANGES - done) * RANGE
        assert download.file.read_bytes() == download.content
        assert not download.partial.exists()

    def test_killed_over_and_over_it_comes_to_its_end(self, download: Download) -> None:
        for _ in range(3):
            with download.standing_still(20 * RANGE):
                pass
        assert download.ranges_done >= 3 * (20 - THREADS)
        download.fetch()
        assert download.file.read_bytes() == download.content

    def test_killed_and_the_object_replaced_it_is_fetched_anew(self, download: Download) -> None:
        # Given
        with download.standing_still(30 * RANGE):
            download.put(content_of(2))
        # When
        fetched = download.fetch()
        # Then there is no byte of the one before
        assert fetched.bytes_fetched == RANGES * RANGE
        assert download.file.read_bytes() == content_of(2)

    def test_two_processes_at_once_do_not_disturb_each_other(self, download: Download) -> None:
        with download.standing_still(30 * RANGE):
            with pytest.raises(TargetBusyError):
                download.fetch()
            assert download.s3.counts["GetObject"] == 0
        assert download.ranges_done >= 30 - THREADS


class TestDisturbed:
    @pytest.mark.parametrize("fault", [S3Fault.SLOW_DOWN, S3Fault.RESET, S3Fault.LOST_ANSWER])
    def test_a_hiccup_is_not_noticed(self, download: Download, fault: S3Fault) -> None:
        download.s3.inject(fault, times=2, when=is_get)
        fetched = download.fetch()
        assert download.s3.injected == {fault: 2}
        assert fetched.bytes_fetched == RANGES * RANGE
        assert download.file.read_bytes() == download.content

    def test_after_a_truncated_answer_the_next_attempt_goes_on(self, download: Download) -> None:
        # Given an answer in the middle that ends early
        fortieth = f"bytes={40 * RANGE}-{41 * RANGE - 1}"
        download.s3.inject(
            S3Fault.TRUNCATED_ANSWER, when=lambda request: request.headers.get("range") == fortieth
        )
        # When
        with pytest.raises(StoreUnavailableError):
            download.fetch()
        # Then
        assert not download.file.exists()
        done = download.ranges_done
        assert done >= 40 - THREADS
        assert download.fetch().bytes_fetched == (RANGES - done) * RANGE
        assert download.file.read_bytes() == download.content

    def test_an_object_that_is_replaced_half_way_is_no_mixture(self, download: Download) -> None:
        # Given a request that is held while another object is put
        source = download.source
        thirtieth = f"bytes={30 * RANGE}-{31 * RANGE - 1}"
        hold = download.s3.hold(when=lambda request: request.headers.get("range") == thirtieth)
        with ThreadPoolExecutor(1) as pool:
            failing = pool.submit(download.fetch, source)
            hold.arrived.wait()
            download.put(content_of(2))
            hold.release()
            # When / Then
            with pytest.raises(ObjectReplacedError):
                failing.result()
        assert not download.file.exists()
        download.fetch()
        assert download.file.read_bytes() == content_of(2)

    def test_a_byte_that_flipped_on_the_disk_is_found(self, download: Download) -> None:
        # Given
        with download.standing_still(60 * RANGE):
            pass
        done = download.ranges_done
        at = download.marked[0] * RANGE + 4711
        with download.partial.open("r+b") as file:
            file.seek(at)
            file.write(bytes([download.content[at] ^ 1]))
        # When
        fetched = download.fetch()
        # Then only that range, and those that were missing, are fetched
        assert fetched.bytes_fetched == (RANGES - done + 1) * RANGE
        assert download.file.read_bytes() == download.content

    def test_a_lost_lease_leaves_what_is_there_to_its_successor(self, download: Download) -> None:
        # Given
        of_a_range = 3  # before it, with its bytes, and when it is read back
        calls = iter(range(15 * of_a_range))

        def checkpoint() -> None:
            if next(calls, None) is None:
                raise LeaseLostError

        fetch = Fetch(reader=download.reader, range_size=RANGE, threads=1)
        with pytest.raises(LeaseLostError):
            fetch(download.source, download.target, replace=False, checkpoint=checkpoint)
        # When / Then
        done = download.ranges_done
        assert 10 < done < RANGES
        assert download.fetch().bytes_fetched == (RANGES - done) * RANGE


class TestCosts:
    def test_a_recorded_object_of_one_range_is_one_get(self, download: Download) -> None:
        download.put(download.content[:RANGE])
        recorded = download.source
        assert recorded.sha256
        download.fetch(recorded)
        assert dict(download.s3.counts) == {"GetObject": 1}

    def test_a_file_that_is_there_is_kept_or_replaced(self, download: Download) -> None:
        download.file.parent.mkdir()
        download.file.write_bytes(b"mine")
        with pytest.raises(TargetExistsError):
            download.fetch()
        assert download.file.read_bytes() == b"mine"
        assert download.s3.counts["GetObject"] == 0
        download.fetch(replaces=True)
        assert download.file.read_bytes() == download.content
