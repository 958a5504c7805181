"""What becomes of a transfer whose task is revoked by Celery's own command."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from celery import Celery
from celery.signals import task_revoked
from celery.utils.collections import LimitedSet
from celery.worker import state
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.tasks.events import WatchedRequest
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.messages.receipt import Recorder
from artifact_pipeline.worker.messages.revocations import cancel_when_revoked
from artifact_pipeline.worker.sql.transfers.requests import request_in
from tests.deployments.deployed import CREATED_AT, a_config
from tests.faults.cells.requests import is_put
from tests.faults.s3_proxy import FaultyS3
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.processes

EXPIRED = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def revoking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, FaultyS3]]:
    """A deployment whose one worker runs one task at a time."""
    with EmbeddedStack(tmp_path_factory.mktemp("revoked")) as stack, FaultyS3(stack.s3.port) as s3:
        deployment = Deployment(stack)
        stack.start_worker(
            *("--concurrency", "1"), environment={"ARTIFACTS_S3_ENDPOINT_URL": s3.url}
        )
        deployment.wait_until(lambda: bool(deployment.foreign.control.ping(timeout=1)))
        yield deployment, s3


def test_a_transfer_that_is_discarded_as_revoked_is_cancelled(
    revoking: tuple[Deployment, FaultyS3],
) -> None:
    # Given a request that SQL has, and whose task was revoked before a worker takes its message
    deployment, _s3 = revoking
    artifact = a_config(deployment)
    with Session(deployment.stack.engine) as session, session.begin():
        request_id = request_in(session, artifact, Direction.UPLOAD, deployment.foreign).request_id
        answers: Any = deployment.foreign.control.revoke(
            request_id, reply=True, timeout=30, limit=1
        )
        assert answers
        # When it comes
    # Then it has ended, with its reason, and is not sent again
    ended = deployment.ended(artifact)
    assert ended.state is TransferState.CANCELLED
    assert ended.reason_code is ReasonCode.REVOKED

    # And the artifact can be asked for again
    deployment.await_another(artifact)
    deployment.send(artifact)
    deployment.stored(artifact)


def test_a_transfer_that_is_terminated_is_cancelled(
    revoking: tuple[Deployment, FaultyS3],
) -> None:
    # Given an upload that runs
    deployment, s3 = revoking
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployment.job(CREATED_AT))
    deployment.write(artifact)
    hold = s3.hold(is_put)
    request_id = deployment.send(artifact)
    assert hold.arrived.wait(30)
    # When its task is revoked, and its child killed
    deployment.foreign.control.revoke(request_id, terminate=True, signal="SIGKILL")
    # Then
    ended = deployment.ended(artifact)
    hold.release()
    assert ended.state is TransferState.CANCELLED
    assert ended.reason_code is ReasonCode.REVOKED


@pytest.mark.parametrize(
    ("revoked_id", "expired", "cancelled"),
    [
        ("a transfer", False, ["a transfer"]),
        ("another", False, []),
        ("another", True, []),
        ("a transfer", True, ["a transfer"]),
    ],
    ids=["revoked", "interrupted by a shutdown", "expired", "revoked and expired"],
)
def test_only_what_somebody_has_revoked_is_cancelled(
    monkeypatch: pytest.MonkeyPatch, revoked_id: str, cancelled: list[str], *, expired: bool
) -> None:
    # Given
    recorded: list[str] = []
    monkeypatch.setattr(Recorder, "record", lambda _self, request, _then: recorded.append(request))
    monkeypatch.setattr(task_revoked, "receivers", [])
    monkeypatch.setattr(state, "revoked", LimitedSet(maxlen=10))
    cancel_when_revoked(Celery("revoking", set_as_current=False), lambda _ids: None)
    state.revoked.add(revoked_id)
    request: Any = WatchedRequest.__new__(WatchedRequest)
    request.id = "a transfer"
    request._expires = EXPIRED if expired else None
    # When Celery ends a task
    assert bool(request.maybe_expire()) == expired
    task_revoked.send(None, request=request, expired=expired)
    # Then
    assert recorded == cancelled
    # And what has only expired runs when it is sent again
    assert ("a transfer" in state.revoked) == (recorded != [])
