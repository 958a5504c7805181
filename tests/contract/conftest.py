from collections.abc import Iterator
from typing import cast

import pytest

from tests.contract.repositories import Repositories, in_memory, on_sql


@pytest.fixture
def fake() -> Repositories:
    return in_memory()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Repositories]:
    yield from on_sql(sqlite_url)


@pytest.fixture
def postgresql(postgres_url: str) -> Iterator[Repositories]:
    yield from on_sql(postgres_url)


# An adapter takes part with a fixture of its own, named here.
@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def repositories(request: pytest.FixtureRequest) -> Repositories:
    return cast("Repositories", request.getfixturevalue(request.param))
