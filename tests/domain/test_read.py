"""Reading an artifact in order, over broken connections."""

import hashlib

import pytest

from artifact_pipeline.domain.errors import (
    ArtifactMissingError,
    ChecksumMismatchError,
    InvalidRequestError,
    ObjectReplacedError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.fakes.objects import InMemoryVerifier
from artifact_pipeline.domain.transfers.read import ByteRange, ReadArtifact, ResumedReads
from tests.domain.world import CONFIG, CONFIG_KEY, RESULTS, World

CONTENT = bytes(range(250)) * 4
ALL = ByteRange()


@pytest.fixture
def world() -> World:
    world = World()
    world.workspace.contents = {CONFIG: CONTENT}
    world.upload()
    world.reader.chunk_size = 100
    return world


class Output:
    """What was written, and how long was waited."""

    def __init__(self, world: World) -> None:
        self.chunks: list[bytes] = []
        self.waited: list[float] = []
        reads = ResumedReads(reader=world.reader, tries=3, sleep=self.waited.append)
        self._read = ReadArtifact(locate=world.locate, reads=reads)

    def read(self, wanted: ByteRange = ALL) -> bool:
        return self._read(CONFIG, wanted, self.chunks.append)

    @property
    def content(self) -> bytes:
        return b"".join(self.chunks)


@pytest.fixture
def output(world: World) -> Output:
    return Output(world)


def ranges(world: World) -> list[tuple[int, int]]:
    return [(read.start, read.stop) for read in world.reader.reads]


def test_all_bytes_come_and_are_verified(world: World, output: Output) -> None:
    assert output.read()
    assert output.content == CONTENT
    assert ranges(world) == [(0, 1000)]


def test_a_broken_connection_continues_where_it_broke(world: World, output: Output) -> None:
    # Given two reads that break half-way
    world.reader.failures = [StoreUnavailableError("gone"), StoreUnavailableError("gone")]
    # When, Then
    assert output.read()
    assert output.content == CONTENT
    assert ranges(world) == [(0, 1000), (500, 1000), (750, 1000)]
    assert len(output.waited) == 2


def test_it_gives_up_once_no_byte_comes_any_more(
    world: World, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise StoreUnavailableError("S3 does not answer")

    monkeypatch.setattr(type(world.reader), "read", refuse)
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        output.read()
    assert len(output.waited) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0-99", CONTENT[:100]),
        ("990-", CONTENT[990:]),
        ("-10", CONTENT[-10:]),
        ("-5000", CONTENT),
        ("998-5000", CONTENT[998:]),
        ("1000-", b""),
    ],
)
def test_a_part_of_it(output: Output, text: str, expected: bytes) -> None:
    output.read(ByteRange.parse(text))
    assert output.content == expected


@pytest.mark.parametrize("text", ["", "-", "-0", "a-b", "5-4", "1", "0-1,3-4", "9" * 20 + "-"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        ByteRange.parse(text)


def test_a_range_behind_the_end(output: Output) -> None:
    with pytest.raises(
        InvalidRequestError, match="begins at byte 1001, and the object has 1000 bytes"
    ):
        output.read(ByteRange(1001))


def test_an_object_that_is_gone_is_read_from_the_next_place(world: World, output: Output) -> None:
    # Given that the recorded object is gone, and an old rule's is there
    del world.store.objects[CONFIG_KEY]
    world.put("jobs/12/2025/10/24/093000/job_config.json", b"old")
    # When, Then
    output.read()
    assert output.content == b"old"


def test_one_that_is_replaced_half_way_is_an_error(world: World, output: Output) -> None:
    world.reader.failures = [ObjectReplacedError()]
    with pytest.raises(ObjectReplacedError, match="replaced while it was read; do not use"):
        output.read()
    assert output.content == CONTENT[:500]


def test_bytes_that_are_not_the_recorded_ones_are_an_error(
    world: World, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = InMemoryVerifier(hashlib.sha256(b"other").hexdigest()[:32])
    monkeypatch.setattr(type(world.reader), "verifier", lambda *_: other)
    with pytest.raises(ChecksumMismatchError, match="job_config of job 12: the bytes are not"):
        output.read()


def test_an_artifact_that_is_nowhere(world: World) -> None:
    read = ReadArtifact(locate=world.locate, reads=ResumedReads(reader=world.reader))
    with pytest.raises(ArtifactMissingError, match="run_results of job 12 run 4: not in"):
        read(RESULTS, ALL, lambda _: None)
