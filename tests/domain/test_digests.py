"""Reading bytes once."""

from collections.abc import Iterator
from hashlib import sha256

import pytest

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.model.digests import feed, sha256_of

CHUNKS = [b"one", b"", b"three"]


class Reading:
    """Chunks, and whether their reading has ended."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.is_closed = False

    def chunks(self) -> Iterator[bytes]:
        try:
            yield from CHUNKS
            if self.error is not None:
                raise self.error
        finally:
            self.is_closed = True


def lose_lease() -> None:
    raise LeaseLostError


def test_every_taker_gets_all_bytes_in_their_order() -> None:
    # Given
    taken: list[tuple[str, bytes]] = []
    takers = [lambda chunk, name=name: taken.append((name, chunk)) for name in "ab"]
    # When
    size = feed(Reading().chunks(), *takers)
    # Then
    assert size == len(b"".join(CHUNKS))
    assert taken == [(name, chunk) for chunk in CHUNKS for name in "ab"]


def test_the_digest_is_of_all_bytes() -> None:
    taken: list[bytes] = []
    assert sha256_of(Reading().chunks(), taken.append) == sha256(b"".join(CHUNKS)).digest()
    assert sha256_of([]) == sha256().digest()
    assert taken == CHUNKS


def test_a_checkpoint_comes_before_each_chunk() -> None:
    steps: list[object] = []
    feed(Reading().chunks(), steps.append, checkpoint=lambda: steps.append("checkpoint"))
    assert steps == ["checkpoint", b"one", "checkpoint", b"", "checkpoint", b"three"]


def test_a_checkpoint_stops_the_reading_and_closes_it() -> None:
    # Given
    reading, taken = Reading(), list[bytes]()
    # When
    with pytest.raises(LeaseLostError) as caught:
        sha256_of(reading.chunks(), taken.append, checkpoint=lose_lease)
    # Then, though the traceback still has what was read
    assert caught.tb
    assert (taken, reading.is_closed) == ([], True)


def test_a_failure_of_the_reading_is_passed_on() -> None:
    with pytest.raises(OSError, match="gone"):
        feed(Reading(OSError("gone")).chunks())
