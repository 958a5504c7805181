"""Single files out of a large zip in the bucket: how many requests and bytes they cost."""

import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from artifact_pipeline.domain.errors import (
    ArtifactMissingError,
    ObjectReplacedError,
    TargetExistsError,
    UnsafeArchiveError,
)
from artifact_pipeline.domain.fakes import InMemoryReader, InMemoryStore
from artifact_pipeline.domain.model.artifacts import StoredArtifact, StoredObject
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.transfers.read import ResumedReads
from artifact_pipeline.worker.workspace.members import MemberDirectory, Present
from artifact_pipeline.worker.workspace.stored_zips import StoredZips
from tests.domain.world import RESULTS, World

MIB = 2**20
GIB = 2**30
KEY = "jobs/12/2025/10/23/211500/run_4_results.zip"
INTO = PurePosixPath("OUT/run_4")
MEMBER = os.urandom(MIB)


@dataclass(slots=True)
class CountingReader(InMemoryReader):
    """Reads an object that is a file, which may be sparse; counts what it is asked for."""

    path: Path = Path()
    version: str = "one"
    requests: list[tuple[int, int]] = field(default_factory=list)

    def read(
        self, source: BucketObject, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        stop = source.size if stop is None else stop
        self.requests.append((start, stop))
        if source.version != self.version:
            raise ObjectReplacedError
        with self.path.open("rb") as file:
            file.seek(start)
            while start < stop:
                chunk = file.read(min(MIB, stop - start))
                start += len(chunk)
                yield chunk

    @property
    def bytes(self) -> int:
        return sum(stop - start for start, stop in self.requests)


@dataclass
class Bucket:
    """The results of run 4, as recorded, and a directory for its files."""

    path: Path
    root: Path

    def __post_init__(self) -> None:
        self.reader = CountingReader(InMemoryStore(), path=self.path)
        world = World()
        world.reader = self.reader
        size = self.path.stat().st_size
        stored = StoredObject(key=KEY, size=size, sha256="0" * 64, version="one")
        world.artifacts.rows[RESULTS] = StoredArtifact(
            artifact=RESULTS, object=stored, stored_at=datetime.now(UTC)
        )
        self.zips = StoredZips(locate=world.locate, reads=ResumedReads(reader=self.reader))

    def fetch(
        self, *names: str, replace: bool = False, meanwhile: Callable[[], None] = lambda: None
    ) -> list[Present]:
        """Fetch the files; return what was in their places."""
        target = MemberDirectory(artifact=RESULTS, root=self.root, into=INTO)
        with self.zips.opened(RESULTS) as stored, target.opened() as opened:
            wanted = [entry for entry in stored.entries if entry.name in names]
            present = [opened.present(entry) for entry in wanted]
            stored.expect(wanted)
            meanwhile()
            for entry in wanted:
                opened.take(stored, entry, replace=replace)
        return present

    def content(self, name: str) -> bytes:
        return (self.root / INTO / name).read_bytes()


@pytest.fixture
def bucket_of(tmp_path: Path) -> Callable[[dict[str, bytes]], Bucket]:
    def make(files: dict[str, bytes], before: int = 0) -> Bucket:
        path = tmp_path / "zip"
        path.touch()
        os.truncate(path, before)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        (tmp_path / "out").mkdir()
        return Bucket(path, tmp_path / "out")

    return make


Make = Callable[..., Bucket]


def test_one_file_of_ten_gibibytes(bucket_of: Make) -> None:
    # Given a zip64 of ten GiB, nearly all of which lie before
    small = {f"RUN1/{n}.csv": b"day,ill\n" * n for n in range(1000)}
    bucket = bucket_of({**small, "RUN2/out.csv": MEMBER, "RUN3/log": b"x"}, before=10 * GIB)
    # When
    bucket.fetch("RUN2/out.csv")
    # Then
    assert bucket.content("RUN2/out.csv") == MEMBER
    assert len(bucket.reader.requests) <= 3
    assert bucket.reader.bytes <= 2 * MIB


def test_a_long_list_of_files_is_one_more_request(bucket_of: Make) -> None:
    small = {f"RUN1/{n:05}-{'x' * 40}.csv": b"" for n in range(9000)}
    bucket = bucket_of({"RUN0/out.csv": MEMBER, **small}, before=10 * GIB)
    bucket.fetch("RUN0/out.csv")
    assert bucket.content("RUN0/out.csv") == MEMBER
    assert len(bucket.reader.requests) == 3
    assert bucket.reader.bytes <= 3 * MIB


def test_files_side_by_side_are_one_request(bucket_of: Make) -> None:
    files = {f"RUN{n}/out.csv": MEMBER[n:] for n in range(6)}
    bucket = bucket_of(files)
    bucket.fetch("RUN1/out.csv", "RUN2/out.csv", "RUN3/out.csv")
    assert bucket.content("RUN3/out.csv") == MEMBER[3:]
    assert len(bucket.reader.requests) == 2


def test_a_small_zip_is_one_request(bucket_of: Make) -> None:
    bucket = bucket_of({"RUN1/a": b"1", "RUN1/b": b"2"})
    bucket.fetch("RUN1/a", "RUN1/b")
    assert (bucket.content("RUN1/a"), bucket.content("RUN1/b")) == (b"1", b"2")
    assert len(bucket.reader.requests) == 1


def test_another_object_is_never_mixed_in(bucket_of: Make) -> None:
    # Given that the object is replaced once its list of files was read
    bucket = bucket_of({"RUN1/a": MEMBER, "RUN1/b": MEMBER})
    # When, Then
    with pytest.raises(ObjectReplacedError):
        bucket.fetch("RUN1/a", meanwhile=lambda: setattr(bucket.reader, "version", "two"))
    assert list((bucket.root / INTO).iterdir()) == []


def test_one_that_is_gone_is_missing(bucket_of: Make) -> None:
    bucket = bucket_of({"RUN1/a": b"1"})
    bucket.reader.version = "two"
    with pytest.raises(ArtifactMissingError, match="run_results of job 12 run 4: not in"):
        bucket.fetch("RUN1/a")


def test_bytes_that_are_not_those_that_were_packed(bucket_of: Make) -> None:
    bucket = bucket_of({"RUN1/a": MEMBER, "RUN1/b": MEMBER})
    content = bytearray(bucket.path.read_bytes())
    content[1000] ^= 1
    bucket.path.write_bytes(content)
    with pytest.raises(UnsafeArchiveError, match="archive is damaged: entry 1: 'RUN1/a'"):
        bucket.fetch("RUN1/a")
    assert list((bucket.root / INTO).iterdir()) == []


def test_what_is_in_the_place_is_compared(bucket_of: Make) -> None:
    bucket = bucket_of({"RUN1/a": b"one", "RUN1/b": b"two"})
    assert bucket.fetch("RUN1/a") == [Present.NOTHING]
    (bucket.root / INTO / "RUN1/b").write_bytes(b"TWO")
    assert bucket.fetch("RUN1/a", "RUN1/b", replace=True) == [Present.SAME, Present.OTHER]
    assert bucket.content("RUN1/b") == b"two"


@pytest.mark.parametrize("replace", [False, True])
def test_a_directory_or_a_link_in_the_place_stays(bucket_of: Make, replace: bool) -> None:  # noqa: FBT001
    bucket = bucket_of({"RUN1/a": b"one", "RUN2/a": b"two"})
    (bucket.root / INTO / "RUN1/a").mkdir(parents=True)
    (bucket.root / "outside").mkdir()
    (bucket.root / INTO / "RUN2").symlink_to(bucket.root / "outside")
    for name in ("RUN1/a", "RUN2/a"):
        with pytest.raises(TargetExistsError):
            bucket.fetch(name, replace=replace)
    assert list((bucket.root / "outside").iterdir()) == []
