"""How the demo says that the story did not end as it should."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.worker.demo import player
from artifact_pipeline.worker.demo.narrator import SilentNarrator
from artifact_pipeline.worker.demo.player import PREFIX, DemoFailedError, play
from artifact_pipeline.worker.demo.story import SCENES, Scene
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from tests.contract.transfer_steps import stored_artifact

pytestmark = pytest.mark.processes


class RecordingNarrator(SilentNarrator):
    def __init__(self) -> None:
        self.told: list[str] = []

    def asked(self, scene: Scene) -> None:
        self.told.append(f"asked {scene.artifact.kind}")

    def landed(self, scene: Scene, transfer: Transfer, seconds: float) -> None:
        assert transfer.finished_at is not None
        assert seconds >= 0
        self.told.append(f"landed {scene.artifact.kind}")


def stored(scene: Scene) -> StoredArtifact:
    artifact = stored_artifact(scene.artifact)
    return replace(artifact, object=replace(artifact.object, key=PREFIX.key(scene.artifact)))


def listed(artifact: StoredArtifact) -> dict[str, Any]:
    return {"ETag": artifact.object.version, "Size": artifact.object.size}


def test_an_object_that_does_not_belong_there_fails_the_demo(tmp_path: Path) -> None:
    # Given
    narrator = RecordingNarrator()
    stray = f"{PREFIX.directory}stray.txt"
    with EmbeddedStack(tmp_path) as stack:
        stack.client().put_object(Bucket=BUCKET, Key=stray, Body=b"stray")
        # When
        with pytest.raises(DemoFailedError) as failed:
            play(stack, narrator, None)
    # Then
    assert str(failed.value) == f"not just where they should be: {stray}"
    kinds = [scene.artifact.kind for scene in SCENES]
    assert narrator.told == [f"{act} {kind}" for kind in kinds for act in ("asked", "landed")]


def test_a_transfer_that_is_given_up_fails_the_demo_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(player, "SCENES", [Scene(s.asked_at, unknown(s)) for s in SCENES])
    # When
    with EmbeddedStack(tmp_path) as stack, pytest.raises(DemoFailedError) as failed:
        play(stack, SilentNarrator(), None)
    # Then
    assert str(failed.value) == "job_config of job 13: quarantined, there is no job 13"


def unknown(scene: Scene) -> Artifact:
    return replace(scene.artifact, job_id=13)


@pytest.mark.parametrize("field", ["ETag", "Size"])
def test_other_bytes_than_were_recorded_fail_the_demo(field: str) -> None:
    # Given
    records = [stored(scene) for scene in SCENES]
    found: dict[str, Any] = {record.object.key: listed(record) for record in records}
    player._check(found, records)
    logs = PREFIX.key(Artifact(ArtifactKind.RUN_LOGS, 12, 4))
    found[logs] = {**found[logs], field: "other"}
    # When
    with pytest.raises(DemoFailedError) as failed:
        player._check(found, records)
    # Then
    assert str(failed.value) == f"{logs}: S3 lists other bytes than recorded"


def test_a_worker_that_ends_fails_the_demo_with_its_last_words(tmp_path: Path) -> None:
    # Given
    argv = [sys.executable, "-c", "print('no such broker')"]
    process = ManagedProcess("worker", argv, env={}, log=tmp_path / "worker.log")
    # When
    with process as worker, pytest.raises(DemoFailedError) as failed:
        player._until(lambda: False, worker)
    # Then
    assert str(failed.value) == "the worker has ended: no such broker"
