"""What the tests of pages are written with."""

import threading
from collections.abc import Sequence
from dataclasses import replace

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import (
    Direction,
    Transfer,
    TransferState,
)
from artifact_pipeline.domain.transfers.page_watch import UploadEnd
from tests.domain.paging import (
    UNHURRIED,
    FakePages,
    Watched,
    page_runner,
)
from tests.domain.world import World

COUNT = 24


CONFIGS = [Artifact(ArtifactKind.RUN_CONFIG, 12, run) for run in range(100, 100 + COUNT)]


DONE = TransferState.DONE


def ask(world: World, artifact: Artifact) -> Transfer:
    return world.transfers.request(artifact, Direction.UPLOAD, request_of(artifact))


def request_of(artifact: Artifact) -> str:
    return f"of {artifact}"


def states(world: World) -> list[TransferState]:
    return [world.latest(config).state for config in CONFIGS]


def grown(world: World, pages: FakePages, watch: Watched | None = None) -> None:
    """Upload all in pages that may be as large as they like from the first on."""
    limits = replace(UNHURRIED, threads=4)
    runner = page_runner(world, pages, limits, watch)
    runner._size = COUNT
    runner(CONFIGS[0], request_of(CONFIGS[0]))


class AwaitedWatch(Watched):
    """A watch for which so many ends can be waited."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.enough = threading.Event()
        self._count = count

    def ended(self, ends: Sequence[UploadEnd], own: UploadEnd | None = None) -> None:
        super().ended(ends, own)
        if len(self.ends) >= self._count:
            self.enough.set()
