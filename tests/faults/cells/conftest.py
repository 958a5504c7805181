"""One deployment for each module; each test has its own workers."""

from collections.abc import Iterator

import pytest

from tests.databases import Databases
from tests.faults.cells.cell import Cell, CellStack
from tests.faults.s3_proxy import FaultyS3


@pytest.fixture(scope="module")
def deployed(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    with (
        databases.fresh() as url,
        CellStack(tmp_path_factory.mktemp("cell"), url) as stack,
        FaultyS3(stack.s3.port) as s3,
    ):
        yield Cell(stack, s3)


@pytest.fixture
def cell(deployed: Cell) -> Iterator[Cell]:
    """A deployment without a worker."""
    yield deployed
    deployed.leave_nothing()
