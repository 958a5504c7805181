"""Every port in memory: for tests of what uses them, and held to the adapters' own contract."""

from artifact_pipeline.domain.fakes.artifact_events import InMemoryEventOutbox
from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.audit_trail import InMemoryAuditTrail
from artifact_pipeline.domain.fakes.batch_candidates import Candidates
from artifact_pipeline.domain.fakes.batch_snapshots import InMemoryBatchSnapshots
from artifact_pipeline.domain.fakes.batches import InMemoryBatches
from artifact_pipeline.domain.fakes.copier import InMemoryCopier
from artifact_pipeline.domain.fakes.history import InMemoryHistory
from artifact_pipeline.domain.fakes.legal_holds import InMemoryLegalHolds
from artifact_pipeline.domain.fakes.locations import InMemoryResults, InMemoryUploadLocations
from artifact_pipeline.domain.fakes.manifests import InMemoryManifests
from artifact_pipeline.domain.fakes.object_versions import InMemoryVersions
from artifact_pipeline.domain.fakes.objects import InMemoryReader, InMemoryTarget
from artifact_pipeline.domain.fakes.platform import InMemoryJobs, InMemoryRuns
from artifact_pipeline.domain.fakes.quarantine import InMemoryQuarantine
from artifact_pipeline.domain.fakes.restorations import InMemoryRestorations, InMemoryRestorer
from artifact_pipeline.domain.fakes.retention import InMemoryDueArtifacts, InMemoryRetentionRules
from artifact_pipeline.domain.fakes.storage import (
    InMemoryEndpointFailures,
    InMemorySource,
    InMemoryStore,
    InMemoryWorkspace,
)
from artifact_pipeline.domain.fakes.tombstones import InMemoryTombstones
from artifact_pipeline.domain.fakes.transfers import InMemoryTransfers
from artifact_pipeline.domain.fakes.upload_pages import InMemoryUploadPages
from artifact_pipeline.domain.fakes.verifications import InMemoryVerifications

__all__ = [
    "Candidates",
    "InMemoryArtifacts",
    "InMemoryAuditTrail",
    "InMemoryBatchSnapshots",
    "InMemoryBatches",
    "InMemoryCopier",
    "InMemoryDueArtifacts",
    "InMemoryEndpointFailures",
    "InMemoryEventOutbox",
    "InMemoryHistory",
    "InMemoryJobs",
    "InMemoryLegalHolds",
    "InMemoryManifests",
    "InMemoryQuarantine",
    "InMemoryReader",
    "InMemoryRestorations",
    "InMemoryRestorer",
    "InMemoryResults",
    "InMemoryRetentionRules",
    "InMemoryRuns",
    "InMemorySource",
    "InMemoryStore",
    "InMemoryTarget",
    "InMemoryTombstones",
    "InMemoryTransfers",
    "InMemoryUploadLocations",
    "InMemoryUploadPages",
    "InMemoryVerifications",
    "InMemoryVersions",
    "InMemoryWorkspace",
]
