"""What an audit finds of job 12, and its repair."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from artifact_pipeline.domain.catalog.audit_findings import AuditFinding, Repair
from artifact_pipeline.domain.catalog.repair import RepairFindings
from artifact_pipeline.domain.catalog.verify import VerifyJob
from artifact_pipeline.domain.fakes import (
    InMemoryAuditTrail,
    InMemoryTombstones,
    InMemoryVerifications,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Transfer
from tests.domain.world import CONFIG, World


@dataclass
class Repairs:
    """A world with a stored config, and what repairs it."""

    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.tombstones = InMemoryTombstones(self.world.artifacts)
        self.trail = InMemoryAuditTrail(self.world.clock)
        self.verifications = InMemoryVerifications(self.world.transfers, self.world.artifacts)
        self.world.workspace.contents[CONFIG] = b"config"
        self.world.upload(CONFIG)

    @property
    def verify(self) -> VerifyJob:
        return VerifyJob(
            locate=self.world.locate,
            transfers=self.world.transfers,
            reads=self.world.reader.read,
        )

    def findings(self) -> list[AuditFinding]:
        """What an audit finds of the job."""
        return [AuditFinding(12, each) for each in self.verify(12) if each.verdict.is_fault]

    def finding(self) -> AuditFinding:
        [finding] = self.findings()
        return finding

    def repair(self, finding: AuditFinding | None = None, **changes: Any) -> Repair:
        """Repair a finding; by default the only one that there is."""
        given: dict[str, Any] = {
            "locate": self.world.locate,
            "transfers": self.world.transfers,
            "verifications": self.verifications,
            "tombstones": self.tombstones,
            "trail": self.trail,
            "location": self.world.store.location,
            "has_source": self._has_source,
            "workspace": None,
            "publish": self.publish,
            "actor": "ann",
            "reason": "a disk was lost",
        }
        repaired = RepairFindings(**{**given, **changes})(finding or self.finding())
        assert repaired.repair is not None
        return repaired.repair

    def publish(self, transfers: Sequence[Transfer]) -> bool:
        self.world.published.extend(transfers)
        return True

    def _has_source(self, artifact: Artifact) -> bool:
        return artifact in self.world.workspace.contents
