import pytest

from tests.domain.world import CONFIG, RESULTS, World


@pytest.fixture
def world() -> World:
    """With the bytes of the job's config and of its run's results."""
    world = World()
    world.workspace.contents = {CONFIG: b'{"epochs": 3}', RESULTS: b"PK" * 1000}
    return world
