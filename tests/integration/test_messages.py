"""What travels, and what a worker makes of messages that it should not get."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery, Task
from sqlalchemy import func, select

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.routing import CONFIGS, DISPATCH, RESULTS, UPKEEP, queue_of, task_name
from artifact_pipeline.tasks.upkeep import dispatch
from artifact_pipeline.tasks.uploads import (
    upload_job_config,
    upload_job_input,
    upload_run_config,
    upload_run_logs,
    upload_run_results,
)
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.tables import TransferRow
from tests.integration.deployment import Deployment
from tests.integration.events import EventLog, listening

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)
JOB_TASKS = [upload_job_config, upload_job_input]
RUN_TASKS = [upload_run_config, upload_run_logs, upload_run_results]
NOT_IDS = ["12", True, 0, -1, 2**31, 2**63, 12.0, None, [12], {"id": 12}]


@pytest.fixture
def producer(broker: Valkey) -> Celery:
    return producer_app(broker.url)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with EmbeddedStack(tmp_path_factory.mktemp("messages")) as stack:
        # The next test must not find the breaker open after the one whose workspace is away.
        brief = {"ARTIFACTS_BREAKER_SECONDS": "0.01"}
        stack.start_worker("--concurrency", "1", environment=brief)
        yield Deployment(stack)


@pytest.fixture(scope="module")
def events(deployed: Deployment) -> Iterator[EventLog]:
    with listening(deployed.foreign) as log:
        yield log


@pytest.mark.usefixtures("producer")
@pytest.mark.parametrize("task", [*JOB_TASKS, *RUN_TASKS, dispatch], ids=lambda task: task.name)
def test_a_message_carries_only_ids(broker: Valkey, task: "Task[Any, Any]") -> None:
    # Given what each task takes
    ids = {"job_id": 12, "run_id": 4} if task in RUN_TASKS else {"job_id": 12}
    ids = {} if task is dispatch else ids

    # When it is published
    task.delay(**ids)

    # Then the raw payload holds these ids, and neither a path nor a URL
    raw = _only_message(broker)
    args, kwargs, _embed = json.loads(base64.b64decode(raw["body"]))
    assert (args, kwargs) == ([], ids)
    text = json.dumps([raw["headers"], args, kwargs])
    assert "://" not in text
    assert "/" not in text


@pytest.mark.usefixtures("producer")
def test_positional_ids_become_keywords(broker: Valkey) -> None:
    upload_run_config.delay(12, 4)
    _args, kwargs, _embed = json.loads(base64.b64decode(_only_message(broker)["body"]))
    assert kwargs == {"job_id": 12, "run_id": 4}


@pytest.mark.usefixtures("producer")
@pytest.mark.parametrize("bad", NOT_IDS, ids=repr)
def test_a_producer_cannot_send_what_is_no_id(broker: Valkey, bad: object) -> None:
    with pytest.raises(InvalidRequestError, match=r"^job_id: "):
        upload_job_config.delay(job_id=bad)
    with pytest.raises(InvalidRequestError, match=r"^run_id: "):
        upload_run_config.delay(12, bad)
    assert _queued(broker) == []


@pytest.mark.usefixtures("producer")
@pytest.mark.parametrize(
    ("args", "kwargs", "named"),
    [
        ((), {}, "job_id"),
        ((12,), {}, "run_id"),
        ((12, 4, 5), {}, "3 positional"),
        ((12, 4), {"path": "/etc/passwd"}, "path"),
        ((12, 4), {"job_id": 12}, "job_id: given twice"),
    ],
)
def test_a_producer_hears_which_argument_is_wrong(
    broker: Valkey, args: tuple[int, ...], kwargs: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidRequestError, match=named) as caught:
        upload_run_results.apply_async(args, kwargs)
    assert "\n" not in str(caught.value)
    assert "/etc/passwd" not in str(caught.value)
    assert _queued(broker) == []


@pytest.mark.parametrize("bad", NOT_IDS, ids=repr)
def test_a_worker_refuses_what_is_no_id_once(
    deployed: Deployment, events: EventLog, bad: object
) -> None:
    # Given a sender that checks nothing
    request_id = str(uuid4())

    # When its message names no artifact
    deployed.foreign.send_task(
        "artifacts.upload_job_config",
        kwargs={"job_id": bad},
        queue=CONFIGS,
        task_id=request_id,
    )
    deployed.wait_until(events.has_ended(request_id))

    # Then it fails at once with a line that says so, and is not tried again
    kinds = [event["type"] for event in events.of(request_id)]
    assert kinds == ["task-received", "task-started", "task-failed"]
    assert "job_id" in events.of(request_id)[-1]["exception"]
    assert _requests(deployed, request_id) == 0


@pytest.mark.parametrize("kwargs", [{}, {"job_id": 1, "run_id": 2}, {"job_id": 1, "url": "x"}])
def test_a_worker_refuses_missing_and_extra_arguments(
    deployed: Deployment, events: EventLog, kwargs: dict[str, Any]
) -> None:
    request_id = str(uuid4())
    deployed.foreign.send_task(
        "artifacts.upload_job_config", kwargs=kwargs, queue=CONFIGS, task_id=request_id
    )
    deployed.wait_until(events.has_ended(request_id))
    assert events.last(request_id) == "task-failed"
    assert _requests(deployed, request_id) == 0


def test_flower_sees_how_a_transfer_ended(deployed: Deployment, events: EventLog) -> None:
    # Given one upload that works and one that never will
    good = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT))
    bad = Artifact(ArtifactKind.JOB_INPUT, deployed.job(CREATED_AT))
    deployed.write(good)

    # When both are asked for
    requests = [deployed.send(good), deployed.send(bad)]
    deployed.wait_until(events.has_ended(*requests))

    # Then the events say so: a small summary, and the reason code
    done, failed = (events.of(request_id)[-1] for request_id in requests)
    assert "'state': 'done', 'size': 7" in done["result"]
    assert failed["type"] == "task-failed"
    assert "SourceMissingError('source_missing: " in failed["exception"]
    for event in (done, failed):
        assert str(deployed.stack.workspace) not in json.dumps(event, default=str)


def test_a_failed_attempt_shows_as_a_retry(deployed: Deployment, events: EventLog) -> None:
    # Given a workspace that is away for the moment
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT))
    away = deployed.stack.workspace.with_name("away")
    deployed.stack.workspace.rename(away)
    try:
        # When a worker tries
        request_id = deployed.send(artifact)
        deployed.wait_until(events.has_ended(request_id))
    finally:
        away.rename(deployed.stack.workspace)

    # Then the transfer waits, and Flower sees RETRY with the reason
    assert events.last(request_id) == "task-retried"
    assert "workspace_unavailable" in events.of(request_id)[-1]["exception"]
    latest = deployed.transfers.latest(artifact, Direction.UPLOAD)
    assert latest is not None
    assert latest.state == "waiting"
    assert latest.next_attempt_at > latest.requested_at


def test_a_bare_message_without_a_queue_arrives_as_well(deployed: Deployment) -> None:
    # Given a sender that knows nothing but name and arguments
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT))
    deployed.write(artifact)

    # When it sends to Celery's own default queue
    deployed.foreign.send_task("artifacts.upload_job_config", kwargs={"job_id": artifact.job_id})

    # Then the worker records the request itself, and the artifact is stored
    assert deployed.stored(artifact).object.size == len(b"content")


def test_a_message_that_is_due_in_hours_puts_nobody_off(deployed: Deployment) -> None:
    # Given a bare message with an eta of tomorrow
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT))
    deployed.write(artifact)
    eta = datetime.now(UTC) + timedelta(hours=20)
    deployed.foreign.send_task(
        "artifacts.upload_job_config", kwargs={"job_id": artifact.job_id}, eta=eta, priority=-1
    )

    # When a worker has received it, and somebody asks at once
    with deployed.stack.broker.client() as broker:
        # The message of an earlier test may be unacknowledged for a moment, so look at the queue.
        deployed.wait_until(lambda: broker.exists("unacked") == 1 and not broker.exists("celery"))
        deployed.send(artifact)

        # Then the worker does that, and keeps the other one
        deployed.stored(artifact)
        deployed.wait_until(lambda: broker.hlen("unacked") == 1)
        assert broker.llen("celery") == 0


def test_every_kind_has_a_task_and_a_queue() -> None:
    uploads = {task.name for task in [*JOB_TASKS, *RUN_TASKS]}
    assert uploads == {task_name(Direction.UPLOAD, kind) for kind in ArtifactKind}
    assert {queue_of(kind) for kind in ArtifactKind} == {CONFIGS, RESULTS}
    assert dispatch.name == DISPATCH


def _queued(broker: Valkey) -> list[Any]:
    with broker.client() as client:
        lists: Any = [client.lrange(queue, 0, -1) for queue in (CONFIGS, RESULTS, UPKEEP)]
    return [json.loads(raw) for queue in lists for raw in queue]


def _only_message(broker: Valkey) -> dict[str, Any]:
    [message] = _queued(broker)
    assert isinstance(message, dict)
    return message


def _requests(deployed: Deployment, request_id: str) -> int:
    statement = select(func.count()).where(TransferRow.request_id == request_id)
    with deployed.stack.engine.connect() as connection:
        return connection.execute(statement).scalar_one()
