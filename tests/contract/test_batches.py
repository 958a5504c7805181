"""The contracts of batches over each adapter."""

from collections.abc import Iterator

import pytest

from tests.contract.batch_contract import (
    BatchProgressContract,
    BatchReleaseContract,
    BatchStartContract,
    BatchStateContract,
)
from tests.contract.batch_world import BatchWorld, in_memory, on_sql
from tests.contract.snapshot_contract import SnapshotContract, SnapshotFilterContract


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> Iterator[BatchWorld]:
    if request.param == "fake":
        yield in_memory()
        return
    url = "postgres_url" if request.param == "postgresql" else "sqlite_url"
    yield from on_sql(request.getfixturevalue(url))


class TestStart(BatchStartContract):
    pass


class TestStates(BatchStateContract):
    pass


class TestReleases(BatchReleaseContract):
    pass


class TestProgress(BatchProgressContract):
    pass


class TestSnapshots(SnapshotContract):
    pass


class TestFilter(SnapshotFilterContract):
    pass
