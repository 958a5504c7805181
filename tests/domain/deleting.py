"""A job with stored artifacts, and a way to delete them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from artifact_pipeline.domain.catalog.delete_job import DeleteArtifacts, DeletionSummary
from artifact_pipeline.domain.catalog.deletion_plan import DeletionRequest
from artifact_pipeline.domain.fakes import (
    InMemoryLegalHolds,
    InMemoryStore,
    InMemoryTombstones,
    InMemoryVersions,
)
from artifact_pipeline.domain.model.artifacts import Artifact, StoredObject
from artifact_pipeline.domain.model.kinds import ArtifactKind
from tests.domain.world import CONFIG, RESULTS, World

DIRECTORY = "jobs/12/2025/10/23/211500/"
RESULTS_KEY = f"{DIRECTORY}run_4_results.zip"
MANIFEST_KEY = f"{DIRECTORY}manifest.json"
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
LOGS_KEY = f"{DIRECTORY}run_4_logs.log"
LATER_KEY = "jobs/12/2025/11/01/093000/run_4_logs.log"
ALL = DeletionRequest(job_id=12)


@dataclass
class Deleting:
    """Job 12 with two stored artifacts and a manifest, and a way to delete them."""

    world: World = field(default_factory=World)
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        world = self.world
        world.workspace.contents = {CONFIG: b"config", RESULTS: b"results"}
        self.holds = InMemoryLegalHolds()
        self.tombstones = InMemoryTombstones(world.artifacts, self.holds)
        self.versions = InMemoryVersions(world.reader)
        world.upload()
        world.upload(RESULTS, "b")
        world.put(MANIFEST_KEY, b"{}")

    def use(self, store: InMemoryStore) -> None:
        """Have what is put from now on put into this store."""
        store.objects = self.world.store.objects
        self.world.store = store

    @property
    def deletion(self) -> DeleteArtifacts:
        return DeleteArtifacts(
            locate=self.world.locate,
            versions=self.versions,
            transfers=self.world.transfers,
            tombstones=self.tombstones,
            holds=self.holds,
            pause=self.pauses.append,
        )

    def __call__(self, request: DeletionRequest = ALL, **changes: Any) -> DeletionSummary:
        return self.deletion(replace(request, **changes), "ann", "not needed")

    @property
    def keys(self) -> set[str]:
        return {*self.world.store.objects}

    @property
    def is_finished(self) -> bool:
        return all(row.finished_at is not None for row in self.tombstones.of_job(12))


class StoreWith(InMemoryStore):
    """Lets something happen before or after a put."""

    before: Callable[[], object] = staticmethod(lambda: None)
    after: Callable[[], object] = staticmethod(lambda: None)

    def put(self, *args: Any, **named: Any) -> StoredObject:
        self.before()
        stored = InMemoryStore.put(self, *args, **named)
        self.after()
        return stored


def keys_of(summary: DeletionSummary) -> list[str]:
    return [each.version.address.key for each in summary.deleted]
