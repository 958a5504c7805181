"""A world whose database has lost its artifacts, and a rebuild of it."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta

from artifact_pipeline.domain.catalog.rebuild import RebuildRecords
from artifact_pipeline.domain.catalog.rebuilt_job import RebuildJob
from artifact_pipeline.domain.fakes import (
    InMemoryArtifacts,
    InMemoryManifests,
    InMemoryTombstones,
)
from artifact_pipeline.domain.fakes.audit import InMemoryAuditedRecords
from artifact_pipeline.domain.fakes.rebuilt_records import InMemoryRebuiltRecords
from artifact_pipeline.domain.maintenance.manifests import WriteManifest
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.rebuilt import NotRecorded, RebuildFault
from tests.domain.world import CONFIG, JOB, RESULTS, World

JOBS = range(100, 110)
OTHERS = [Artifact(ArtifactKind.JOB_CONFIG, job_id) for job_id in JOBS]
DIRECTORY = "jobs/12/2025/10/23/211500/"
MANIFEST = f"{DIRECTORY}manifest.json"


@dataclass
class Lost:
    """A world whose database has lost its artifacts, and what has been rebuilt of it."""

    world: World = field(default_factory=World)
    touched: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        for artifact in OTHERS:
            self.world.jobs.rows[artifact.job_id] = Job(artifact.job_id, JOB.created_at)
        contents = {artifact: str(artifact).encode() for artifact in (CONFIG, RESULTS, *OTHERS)}
        self.world.workspace.contents = contents
        for number, artifact in enumerate(contents):
            self.world.upload(artifact, f"request-{number}")
        self.artifacts = InMemoryArtifacts(clock=self.world.clock)
        self.tombstones = InMemoryTombstones(self.artifacts)
        self.manifests = InMemoryManifests(self.artifacts, self.world.transfers)
        self.records = InMemoryRebuiltRecords(self.artifacts, self.tombstones, self.manifests)

    def write_manifests(self) -> None:
        world = self.world
        write = WriteManifest(
            manifests=InMemoryManifests(world.artifacts, world.transfers),
            jobs=world.jobs,
            store=world.store,
            written_by="tests",
        )
        for job_id in (12, *JOBS):
            assert write(job_id)

    def rebuild(self, *, reads_bytes: bool = False) -> RebuildRecords:
        world = self.world
        return RebuildRecords(
            reader=world.reader,
            records=InMemoryAuditedRecords(self.artifacts, world.jobs, world.transfers),
            rebuilt=self.records,
            of_job=RebuildJob(reader=world.reader, reads_bytes=reads_bytes),
            note_jobs=self._touch,
        )

    def run(
        self, *, reads_bytes: bool = False, dry_run: bool = False
    ) -> tuple[Counter[str], list[NotRecorded]]:
        pages = list(self.rebuild(reads_bytes=reads_bytes)(dry_run=dry_run))
        counts = sum((page.counts for page in pages), Counter())
        return counts, [fault for page in pages for fault in page.faults]

    @property
    def rows(self) -> dict[Artifact, StoredArtifact]:
        return self.artifacts.rows

    @property
    def before(self) -> dict[Artifact, StoredArtifact]:
        """What was recorded, without what only an upload knows."""
        return {
            artifact: replace(row, object=replace(row.object, bytes_sent=0))
            for artifact, row in self.world.artifacts.rows.items()
        }

    @property
    def due(self) -> Collection[int]:
        """The jobs whose manifest must be written."""
        at_once = timedelta(0)
        return self.manifests.take_due(100, settled_after=at_once, ask_again_after=at_once)

    def _touch(self, job_ids: Collection[int]) -> None:
        self.touched += job_ids


def address(key: str) -> ObjectAddress:
    return ObjectAddress("bucket", key)


def faults(found: Collection[NotRecorded]) -> dict[str, RebuildFault]:
    return {each.address.key: each.fault for each in found}
