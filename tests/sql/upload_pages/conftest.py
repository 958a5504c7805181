from collections.abc import Iterator

import pytest

from tests.sql.upload_pages.steps import (
    Pages,
)


@pytest.fixture
def world(postgres_url: str) -> Iterator[Pages]:
    world = Pages(postgres_url)
    yield world
    world.close()


@pytest.fixture
def either(database_url: str) -> Iterator[Pages]:
    """On each kind of database."""
    world = Pages(database_url)
    yield world
    world.close()
