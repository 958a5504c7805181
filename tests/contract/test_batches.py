"""The contracts of batches over each adapter."""

from tests.contract.batch_contract import (
    BatchProgressContract,
    BatchReleaseContract,
    BatchStartContract,
    BatchStateContract,
)
from tests.contract.batch_control_contract import (
    BatchBytesContract,
    BatchPriorityContract,
    BatchWindowContract,
)
from tests.contract.snapshot_contract import SnapshotContract, SnapshotFilterContract


class TestStart(BatchStartContract):
    pass


class TestStates(BatchStateContract):
    pass


class TestReleases(BatchReleaseContract):
    pass


class TestBytes(BatchBytesContract):
    pass


class TestWindows(BatchWindowContract):
    pass


class TestPriorities(BatchPriorityContract):
    pass


class TestProgress(BatchProgressContract):
    pass


class TestSnapshots(SnapshotContract):
    pass


class TestFilter(SnapshotFilterContract):
    pass
