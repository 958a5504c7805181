"""An object as a file: the same bytes as of a file on the disk, by few requests."""

import io
import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.worker.workspace.ranged_file import RangedFile

CONTENT = bytes(range(251)) * 40
_PLACES = st.integers(0, len(CONTENT) + 100)


class Requests:
    """What was asked for; the bytes come in small chunks."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []
        self.failures: list[Exception] = []

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        self.spans.append((start, stop))
        for at in range(start, stop, 100):
            if self.failures:
                raise self.failures.pop()
            yield CONTENT[at : min(at + 100, stop)]

    def opened(self, tail: int = 1000) -> RangedFile:
        return RangedFile(self.read, len(CONTENT), tail)


@pytest.fixture
def requests() -> Requests:
    return Requests()


@given(
    steps=st.lists(st.tuples(_PLACES, st.integers(-1, 3000)), max_size=20),
    spans=st.lists(st.tuples(_PLACES, _PLACES).map(lambda span: (min(span), max(span)))),
    tail=st.sampled_from([1, 100, 5000, 20_000]),
)
@settings(deadline=None)
def test_it_reads_as_a_file_does(
    steps: list[tuple[int, int]], spans: list[tuple[int, int]], tail: int
) -> None:
    file, other = Requests().opened(tail), io.BytesIO(CONTENT)
    file.expect(spans)
    for at, size in steps:
        assert (file.seek(at), other.seek(at)) == (at, at)
        assert file.read(size) == other.read(size)
        if at <= len(CONTENT):
            assert file.tell() == other.tell()


def test_the_end_is_one_request(requests: Requests) -> None:
    file = requests.opened()
    file.seek(-22, os.SEEK_END)
    file.read(22)
    file.seek(-900, os.SEEK_END)
    file.read()
    assert requests.spans == [(len(CONTENT) - 1000, len(CONTENT))]


def test_what_is_expected_side_by_side_is_one_request(requests: Requests) -> None:
    # Given
    file = requests.opened()
    file.expect([(3000, 4000), (2000, 3000), (6000, 7000)])
    requests.spans.clear()
    # When it is read in pieces, and some are passed over
    for start, stop in ((2000, 2030), (2100, 2900), (3100, 3500), (6000, 6999)):
        file.seek(start)
        assert file.read(stop - start) == CONTENT[start:stop]
    # Then
    assert requests.spans == [(2000, 4000), (6000, 7000)]


def test_what_has_failed_is_asked_for_again(requests: Requests) -> None:
    # Given
    file = requests.opened()
    file.expect([(2000, 4000)])
    requests.failures = [StoreUnavailableError("gone")]
    file.seek(2000)
    with pytest.raises(StoreUnavailableError):
        file.read(50)
    # When, Then
    assert file.read(50) == CONTENT[2000:2050]
    assert requests.spans[1:] == [(2000, 4000), (2000, 4000)]


def test_no_byte_is_before_the_first(requests: Requests) -> None:
    with pytest.raises(OSError, match="no byte -1"):
        requests.opened().seek(-len(CONTENT) - 1, os.SEEK_END)
