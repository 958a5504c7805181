from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from artifact_pipeline.worker.sql.engine import make_engine
from tests.web.steps import Client, World


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    """On SQLite and a store of files."""
    engine = make_engine(sqlite_url)
    world = World(engine, tmp_path)
    yield world
    world.close()
    engine.dispose()


@pytest.fixture
def client(world: World) -> Client:
    """Of a user on this host."""
    return world.client()


@pytest.fixture
def either_world(engine: Engine, tmp_path: Path) -> Iterator[World]:
    """On SQLite and on PostgreSQL, in turn."""
    world = World(engine, tmp_path)
    yield world
    world.close()
