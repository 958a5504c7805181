"""What the tests of fetching are written with."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.fakes import InMemoryReader, InMemoryStore, InMemoryTarget
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.transfers.ranged_download import Fetch, Fetched

ADDRESS = ObjectAddress("bucket", "jobs/12/run_4_results.zip")
RANGE = 1000
CONTENT = Random(4).randbytes(10 * RANGE + 1)  # noqa: S311 - the same bytes in every run


def nothing() -> None:
    pass


@dataclass
class World:
    """An object in a bucket, and a place for it."""

    reader: InMemoryReader
    target: InMemoryTarget = field(default_factory=InMemoryTarget)
    threads: int = 3
    heard: list[int] = field(default_factory=list)

    @property
    def source(self) -> BucketObject:
        source = self.reader.find(ADDRESS)
        assert source is not None
        return source

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Of what was asked for, in the order of the object."""
        return sorted((read.start, read.stop) for read in self.reader.reads)

    def fetch(
        self,
        source: BucketObject | None = None,
        checkpoint: Callable[[], None] = nothing,
        *,
        replaces: bool = False,
    ) -> Fetched:
        fetch = Fetch(reader=self.reader, range_size=RANGE, threads=self.threads)
        return fetch(
            source or self.source,
            self.target,
            replace=replaces,
            checkpoint=checkpoint,
            progress=self.heard.append,
        )


def world_of(content: bytes, threads: int = 3) -> World:
    reader = InMemoryReader(InMemoryStore(objects={ADDRESS.key: content}), chunk_size=RANGE // 4)
    return World(reader, threads=threads)


@dataclass
class Lease:
    """Attributes: `lost_at` is the number of the checkpoint that finds it lost."""

    lost_at: int
    checkpoints: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def checkpoint(self) -> None:
        with self._lock:
            self.checkpoints += 1
            if self.checkpoints == self.lost_at:
                raise LeaseLostError
