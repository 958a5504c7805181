from collections.abc import Iterator
from typing import cast

import pytest

from tests.contract import batch_world, told_events
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


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> Iterator[batch_world.BatchWorld]:
    if request.param == "fake":
        yield batch_world.in_memory()
        return
    url = "postgres_url" if request.param == "postgresql" else "sqlite_url"
    yield from batch_world.on_sql(request.getfixturevalue(url))


@pytest.fixture(params=["fake", "sqlite", "postgresql"])
def told(request: pytest.FixtureRequest) -> Iterator[told_events.Told]:
    """Events in memory, on SQLite and on PostgreSQL."""
    if request.param == "fake":
        yield told_events.in_memory()
        return
    url = "postgres_url" if request.param == "postgresql" else "sqlite_url"
    yield from told_events.in_sql(cast("str", request.getfixturevalue(url)))
