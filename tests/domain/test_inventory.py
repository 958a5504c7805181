"""Every artifact of a job, with its state."""

import pytest

from artifact_pipeline.domain.catalog.inventory import ArtifactState, list_artifacts
from artifact_pipeline.domain.errors import SourceMissingError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from tests.domain.world import CONFIG, CONFIG_KEY, LEASE, RESULTS, World

LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)


@pytest.fixture
def world() -> World:
    world = World()
    world.workspace.contents = {CONFIG: b"config"}
    return world


def states(world: World) -> dict[Artifact, ArtifactState]:
    return {
        listed.artifact: listed.state
        for listed in list_artifacts(world.locate, world.transfers, 12)
    }


def test_what_is_stored_and_recorded(world: World) -> None:
    world.upload()
    assert states(world) == {CONFIG: ArtifactState.STORED}


def test_what_no_row_knows(world: World) -> None:
    world.put(CONFIG_KEY, b"config")
    assert states(world) == {CONFIG: ArtifactState.UNRECORDED}


def test_what_is_recorded_and_not_there(world: World) -> None:
    world.upload()
    world.store.objects.clear()
    assert states(world) == {CONFIG: ArtifactState.MISSING}


def test_what_is_only_asked_for(world: World) -> None:
    world.transfers.request(CONFIG, Direction.UPLOAD, "a")
    world.transfers.claim(LOGS, Direction.UPLOAD, "b", owner="worker-2", lease=LEASE)
    with pytest.raises(SourceMissingError):
        world.upload(RESULTS, "c")
    assert states(world) == {
        CONFIG: ArtifactState.REQUESTED,
        LOGS: ArtifactState.RUNNING,
        RESULTS: ArtifactState.QUARANTINED,
    }


def test_what_was_cancelled_is_not_there(world: World) -> None:
    world.transfers.request(CONFIG, Direction.UPLOAD, "a")
    world.transfers.cancel(12, None, None)
    assert states(world) == {}


def test_a_download_brings_nothing_to_the_bucket(world: World) -> None:
    world.transfers.request(CONFIG, Direction.DOWNLOAD, "a")
    assert states(world) == {}
