"""Every port in memory: for tests of what uses them, and held to the adapters' own contract."""

from domain.fakes.artifacts import InMemoryArtifacts
from domain.fakes.batch_candidates import Candidates
from domain.fakes.batch_snapshots import InMemoryBatchSnapshots
from domain.fakes.batches import InMemoryBatches
from domain.fakes.copier import InMemoryCopier
from domain.fakes.locations import InMemoryResults, InMemoryUploadLocations
from domain.fakes.objects import InMemoryReader, InMemoryTarget
from domain.fakes.platform import InMemoryJobs, InMemoryRuns
from domain.fakes.quarantine import InMemoryQuarantine
from domain.fakes.storage import (
    InMemoryEndpointFailures,
    InMemorySource,
    InMemoryStore,
    InMemoryWorkspace,
)
from domain.fakes.transfers import InMemoryTransfers
from domain.fakes.verifications import InMemoryVerifications

__all__ = [
    "Candidates",
    "InMemoryArtifacts",
    "InMemoryBatchSnapshots",
    "InMemoryBatches",
    "InMemoryCopier",
    "InMemoryEndpointFailures",
    "InMemoryJobs",
    "InMemoryQuarantine",
    "InMemoryReader",
    "InMemoryResults",
    "InMemoryRuns",
    "InMemorySource",
    "InMemoryStore",
    "InMemoryTarget",
    "InMemoryTransfers",
    "InMemoryUploadLocations",
    "InMemoryVerifications",
    "InMemoryWorkspace",
]
