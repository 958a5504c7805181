"""The contract of the history over each adapter."""

from collections.abc import Iterator

import pytest

from tests.contract.batch_world import BatchWorld, in_memory, on_sql
from tests.contract.history_contract import BatchHistoryContract, TransferHistoryContract


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> Iterator[BatchWorld]:
    if request.param == "fake":
        yield in_memory()
        return
    url = "postgres_url" if request.param == "postgresql" else "sqlite_url"
    yield from on_sql(request.getfixturevalue(url))


class TestTransfers(TransferHistoryContract):
    pass


class TestBatches(BatchHistoryContract):
    pass
