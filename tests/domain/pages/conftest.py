from collections.abc import Iterator

import pytest

from artifact_pipeline.domain.model.jobs import Run
from tests.domain.pages.steps import CONFIGS, ask
from tests.domain.paging import (
    FakePages,
    HeldStore,
)
from tests.domain.world import World


@pytest.fixture
def world(world: World) -> World:
    """With many configs that are asked for."""
    world.store = HeldStore(clock=world.clock)
    for config in CONFIGS:
        assert config.run_id is not None
        world.runs.rows[config.run_id] = Run(config.run_id, 12)
        world.workspace.contents[config] = str(config).encode()
        ask(world, config)
    return world


@pytest.fixture
def pages(world: World) -> FakePages:
    return FakePages(world)


@pytest.fixture
def held(world: World) -> Iterator[HeldStore]:
    """The world's bucket, whose puts can be kept waiting until the test has ended."""
    store = world.store
    assert isinstance(store, HeldStore)
    yield store
    store.released.set()
