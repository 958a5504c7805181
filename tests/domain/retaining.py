"""A year-old store, and the rules that are applied to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from artifact_pipeline.domain.catalog.audited import audited
from artifact_pipeline.domain.catalog.delete_job import DeleteArtifacts
from artifact_pipeline.domain.fakes import (
    InMemoryAuditTrail,
    InMemoryDueArtifacts,
    InMemoryLegalHolds,
    InMemoryRetentionRules,
    InMemoryTombstones,
    InMemoryUploadLocations,
    InMemoryVersions,
)
from artifact_pipeline.domain.maintenance.retention import ApplyRetention
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.operator_actions import NewAction, OperatorAction
from artifact_pipeline.domain.model.retention import RetentionAction, RetentionRule
from artifact_pipeline.domain.model.retention_results import RetentionResult
from artifact_pipeline.domain.platform.archiving import archive_job_uploads
from artifact_pipeline.domain.ports.platform import ArchiveSummary
from tests.domain.world import CONFIG, RESULTS, World

RESULTS_KEY = "jobs/12/2025/10/23/211500/run_4_results.zip"
OTHER = Artifact(ArtifactKind.RUN_LOGS, 13, 7)
OTHER_KEY = "jobs/13/2025/10/24/211500/run_7_logs.log"
ARCHIVE, DELETE = RetentionAction.ARCHIVE, RetentionAction.DELETE
YEAR = timedelta(days=365)


def days(number: float) -> timedelta:
    return timedelta(days=number)


@dataclass
class Retaining:
    """Two artifacts of job 12 and one of job 13, a year old, and rules about them."""

    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        world = self.world
        world.workspace.contents = {CONFIG: b"config", RESULTS: b"results", OTHER: b"logs"}
        self.holds = InMemoryLegalHolds()
        self.tombstones = InMemoryTombstones(world.artifacts, self.holds)
        self.trail = InMemoryAuditTrail(world.clock)
        self.rules = InMemoryRetentionRules(world.clock)
        self.versions = InMemoryVersions(world.reader)
        self.due = InMemoryDueArtifacts(
            artifacts=world.artifacts, holds=self.holds, jobs=world.jobs, archives=("GLACIER",)
        )
        for artifact in (CONFIG, RESULTS, OTHER):
            world.upload(artifact, str(artifact))
        world.clock.advance(YEAR)

    def rule(self, name: str = "old", **given: Any) -> None:
        self.rules.set(RetentionRule(name=name, **given), "ann", "the budget")

    @property
    def apply(self) -> ApplyRetention:
        world = self.world
        return ApplyRetention(
            rules=self.rules,
            due=self.due,
            delete=DeleteArtifacts(
                locate=world.locate,
                versions=self.versions,
                transfers=world.transfers,
                tombstones=self.tombstones,
                holds=self.holds,
                pause=lambda _seconds: None,
            ),
            archive=self._archive,
        )

    def __call__(self, reason: str | None = None) -> RetentionResult:
        with audited(self.trail, NewAction(name="retention apply", actor="bob")) as action:
            return self.apply.everything(action, reason)

    def next_page(self) -> RetentionResult:
        return self.apply.next_page(self.trail, "retention@host")

    @property
    def keys(self) -> set[str]:
        return {*self.world.store.objects}

    @property
    def actions(self) -> Sequence[OperatorAction]:
        return [*self.trail.rows.values()]

    def _archive(
        self, job_id: int, expected: Mapping[Artifact, StoredArtifact], tier_name: str
    ) -> ArchiveSummary:
        world = self.world
        locations = InMemoryUploadLocations(world.reader, world.copier, now=world.clock)
        return archive_job_uploads(
            world.locate,
            locations,
            world.artifacts,
            job_id=job_id,
            kinds=list(ArtifactKind),
            storage_class=tier_name,
            holds=self.holds,
            expected=expected,
        )
