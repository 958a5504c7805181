"""A share that goes away under a worker, and one that is full."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.tables import WorkspaceRow
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.marker import MARKER
from tests.integration.deployment import Deployment

MIB = 2**20
IMPATIENT = {
    "ARTIFACTS_BREAKER_SECONDS": "1",
    "ARTIFACTS_MAX_ATTEMPTS": "2",
    "ARTIFACTS_BACKOFF_BASE_SECONDS": "0.1",
    "ARTIFACTS_BACKOFF_CAP_SECONDS": "0.1",
}


class Renamed:
    """A share that is away while its directory has another name."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.away = place.with_name("away")

    def leave(self) -> None:
        self.place.rename(self.away)
        self.place.mkdir()

    def come_back(self) -> None:
        self.away.rename(self.place)  # in one step; it fails if anything was written into it


class Mounted:
    """A mounted directory."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.source = place.with_name("source")
        self.source.mkdir()
        self.come_back()

    def leave(self) -> None:
        _run("umount", "--lazy", str(self.place))

    def come_back(self) -> None:
        assert list(self.place.iterdir()) == []
        _run("mount", "--bind", str(self.source), str(self.place))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def can_mount(directory: Path) -> bool:
    try:
        _run("mount", "-t", "tmpfs", "none", str(directory))
        _run("umount", str(directory))
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@contextmanager
def unmounted_afterwards(place: Path) -> Iterator[None]:
    try:
        yield
    finally:
        # Path.is_mount() does not know a bind mount of the same file system.
        while f" {place} " in Path("/proc/self/mounts").read_text():
            _run("umount", "--lazy", str(place))


def start(stack: EmbeddedStack) -> Deployment:
    """Start a worker and beat, which has what waits sent again."""
    stack.start_worker("--concurrency", "2", environment=IMPATIENT)
    schedule = str(stack.directory / "schedule")
    stack.start_celery("beat", "artifact_pipeline.worker.control", "beat", "--schedule", schedule)
    return Deployment(stack)


def job(deployment: Deployment) -> Artifact:
    return Artifact(ArtifactKind.JOB_CONFIG, deployment.job(datetime.now(UTC)))


def move_to_bucket(deployment: Deployment, artifact: Artifact, size: int = 4) -> None:
    """Have it in the bucket, and not in the workspace any more."""
    path = deployment.write(artifact, b"x" * size)
    deployment.send(artifact)
    deployment.stored(artifact)
    path.unlink()


def ask_for_download(deployment: Deployment, artifact: Artifact) -> None:
    request_id = f"download-{artifact.job_id}"
    deployment.foreign.send_task(
        f"artifacts.download_{artifact.kind}",
        kwargs={"job_id": artifact.job_id},
        task_id=request_id,
        queue="configs",
    )


def waits(
    deployment: Deployment, artifact: Artifact, direction: Direction, reason: ReasonCode
) -> bool:
    latest = deployment.transfers.latest(artifact, direction)
    return latest is not None and (latest.state, latest.attempts, latest.reason_code) == (
        TransferState.WAITING,
        0,
        reason,
    )


def done(deployment: Deployment, artifact: Artifact, direction: Direction) -> Transfer:
    ended = deployment.ended(artifact, direction)
    assert ended.state is TransferState.DONE, ended
    return ended


@pytest.mark.parametrize("kind", [Renamed, Mounted])
def test_what_needs_a_share_that_is_away_waits_for_it(
    tmp_path: Path, kind: type[Renamed | Mounted]
) -> None:
    stack = EmbeddedStack(tmp_path)
    if kind is Mounted and not can_mount(stack.workspace):
        pytest.skip("mounting is not allowed here")
    share = kind(stack.workspace)
    with unmounted_afterwards(stack.workspace), stack:
        # Given a worker that has stored one artifact
        deployment = start(stack)
        stored, late = job(deployment), job(deployment)
        move_to_bucket(deployment, stored)
        deployment.write(late)
        # When the share goes away, and a mount point is left
        share.leave()
        deployment.send(late)
        ask_for_download(deployment, stored)
        # Then both wait, again and again, and spend nothing
        deployment.wait_until(
            lambda: (
                waits(deployment, late, Direction.UPLOAD, ReasonCode.WORKSPACE_UNAVAILABLE)
                and waits(deployment, stored, Direction.DOWNLOAD, ReasonCode.WORKSPACE_UNAVAILABLE)
            )
        )
        first = deployment.latest(late).next_attempt_at
        deployment.wait_until(lambda: deployment.latest(late).next_attempt_at > first)
        assert list(stack.workspace.iterdir()) == []
        # When it is back
        share.come_back()
        # Then both are done, in their first attempt
        assert done(deployment, late, Direction.UPLOAD).attempts == 1
        assert done(deployment, stored, Direction.DOWNLOAD).attempts == 1
        assert Workspace(stack.workspace).path(stored).read_bytes() == b"xxxx"


def test_a_full_workspace_stops_downloads_alone(tmp_path: Path) -> None:
    stack = EmbeddedStack(tmp_path)
    if not can_mount(stack.workspace):
        pytest.skip("mounting is not allowed here")
    _run("mount", "-t", "tmpfs", "-o", "size=4m", "none", str(stack.workspace))
    with unmounted_afterwards(stack.workspace), stack:
        # Given
        deployment = start(stack)
        large, small = job(deployment), job(deployment)
        move_to_bucket(deployment, large, 2 * MIB)
        filler = stack.workspace / "filler"
        filler.write_bytes(b"x" * (3 * MIB))
        deployment.write(small)
        # When
        ask_for_download(deployment, large)
        # Then the download waits without spending attempts, and an upload needs no space
        deployment.wait_until(
            lambda: waits(deployment, large, Direction.DOWNLOAD, ReasonCode.WORKSPACE_NOT_WRITABLE)
        )
        deployment.send(small)
        done(deployment, small, Direction.UPLOAD)
        first = deployment.latest(large, Direction.DOWNLOAD).next_attempt_at
        deployment.wait_until(
            lambda: deployment.latest(large, Direction.DOWNLOAD).next_attempt_at > first
        )
        # When there is room again
        filler.unlink()
        # Then
        assert done(deployment, large, Direction.DOWNLOAD).attempts == 1


def test_a_tree_of_before_is_marked_by_two_workers_at_once(tmp_path: Path) -> None:
    # Given a deployment as before there were markers
    with EmbeddedStack(tmp_path) as stack:
        forget(stack.engine)
        (stack.workspace / MARKER).unlink()
        (stack.workspace / "job_1").mkdir()
        # When
        deployment = start(stack)
        stack.start_worker("--concurrency", "1", environment=IMPATIENT)
        artifact = job(deployment)
        deployment.write(artifact)
        deployment.send(artifact)
        # Then
        done(deployment, artifact, Direction.UPLOAD)
        deployment.wait_until((stack.workspace / MARKER).exists)
        known = SqlWorkspaces(stack.engine).known()
        assert known is not None
        assert len(known) == 1


def test_a_worker_whose_share_is_not_mounted_waits_at_its_start(tmp_path: Path) -> None:
    # Given
    with EmbeddedStack(tmp_path) as stack:
        share = Renamed(stack.workspace)
        share.leave()
        deployment = Deployment(stack)
        artifact = job(deployment)
        deployment.send(artifact)
        # When
        worker = stack.start_worker("--concurrency", "1")
        upkeep = stack.start_worker("--concurrency", "1", "--queues", "upkeep")
        # Then it waits, while upkeep, which needs no files, does not
        deployment.wait_until(
            lambda: "shared workspace: it has no marker" in worker.log.read_text()
        )
        deployment.wait_until(lambda: "ready." in upkeep.log.read_text())
        with stack.broker.client() as broker:
            assert broker.llen("configs") == 1
        share.come_back()
        deployment.write(artifact)
        done(deployment, artifact, Direction.UPLOAD)


def forget(engine: Engine) -> None:
    """Forget all workspaces."""
    with Session(engine) as session, session.begin():
        session.execute(delete(WorkspaceRow))
