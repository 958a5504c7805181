"""What the processes of a worker know of each other's uploads."""

import os
from dataclasses import replace

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.lifecycle.shared_done import SharedDoneUploads

CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)
LAST = 4_096
"""As many are remembered."""


@pytest.fixture
def done() -> SharedDoneUploads:
    return SharedDoneUploads()


def test_an_upload_is_known_by_its_request_and_artifact(done: SharedDoneUploads) -> None:
    # When
    done.note("request", CONFIG)
    # Then an id that a client has used again is another upload
    assert done.has("request", CONFIG)
    assert not done.has("another", CONFIG)
    assert not done.has("request", replace(CONFIG, run_id=5))
    assert not done.has("request", replace(CONFIG, kind=ArtifactKind.RUN_LOGS))


def test_nothing_is_known_at_first(done: SharedDoneUploads) -> None:
    assert not done.has("request", CONFIG)


@pytest.mark.parametrize("request_id", ["", "\udcff", "x" * 10_000, "\0"])
def test_any_id_can_be_noted(done: SharedDoneUploads, request_id: str) -> None:
    done.note(request_id, CONFIG)
    assert done.has(request_id, CONFIG)


def test_the_oldest_are_forgotten(done: SharedDoneUploads) -> None:
    # Given
    done.note("first", CONFIG)
    # When
    for number in range(LAST):
        done.note(str(number), CONFIG)
    # Then
    assert not done.has("first", CONFIG)
    assert all(done.has(str(number), CONFIG) for number in range(LAST))


@pytest.mark.processes
def test_a_process_knows_what_another_has_done(done: SharedDoneUploads) -> None:
    # Given
    child = os.fork()
    if not child:
        done.note("request", CONFIG)
        os._exit(0)
    # When
    os.waitpid(child, 0)
    # Then
    assert done.has("request", CONFIG)
