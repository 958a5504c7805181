"""The queues of workspaces, and which workspace a request or message is for."""

from datetime import UTC, datetime

import pytest
from celery import Celery

from artifact_pipeline.domain.errors import ConfigurationError, InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.domain.model.workspaces import MAX_WORKSPACE, workspace_name
from artifact_pipeline.tasks.app import configured, producing_with
from artifact_pipeline.tasks.own_workspace import (
    NAME_VARIABLE,
    for_own_workspace,
    requested_workspace,
)
from artifact_pipeline.tasks.receipt import bare_request, workspace_of_message
from artifact_pipeline.tasks.routing import (
    WORKSPACE_HEADER,
    queue_of_transfer,
    queues_of_workspace,
    workspace_of_queue,
)
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.lifecycle.queues import refusal_of

NOW = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
WRONG = ("Host-A", "a.b", "a b", "-a", "a-", "a_b", "é", "a\n", "a" * (MAX_WORKSPACE + 1), 7)


def transfer(workspace: str | None, batch_id: int | None = None) -> Transfer:
    return Transfer(
        id=1,
        request_id="a",
        artifact=Artifact(ArtifactKind.RUN_RESULTS, 12, 4),
        direction=Direction.UPLOAD,
        state=TransferState.REQUESTED,
        requested_at=NOW,
        next_attempt_at=NOW,
        batch_id=batch_id,
        workspace=workspace,
    )


def test_each_workspace_has_queues_for_the_same_work() -> None:
    assert queue_of_transfer(transfer(None)) == "results"
    assert queue_of_transfer(transfer("host-a")) == "results.host-a"
    assert queue_of_transfer(transfer("host-a", batch_id=7)) == "batches.host-a"
    for workspace in (None, "a", "host-a", "a" * MAX_WORKSPACE):
        for queue in queues_of_workspace(workspace):
            assert workspace_of_queue(queue) == workspace


@pytest.mark.parametrize(
    "queue", ["configs", "upkeep.host-a", "celery.a", "configs.", "configs.A", "configs.a.b", "x.a"]
)
def test_other_queues_are_of_no_workspace(queue: str) -> None:
    assert workspace_of_queue(queue) is None


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_name_is_refused(name: object) -> None:
    with pytest.raises(InvalidRequestError, match=r"workspace: .* cannot be a name: use 1 to 36"):
        workspace_name(name)


def test_a_request_is_for_the_workspace_of_its_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a producer without the setting
    monkeypatch.delenv(NAME_VARIABLE, raising=False)
    assert requested_workspace(None) is None
    # When it has a name
    monkeypatch.setenv(NAME_VARIABLE, "host-a")
    # Then an argument counts more, and the empty text means the default workspace
    assert requested_workspace(None) == "host-a"
    assert requested_workspace("host-b") == "host-b"
    assert requested_workspace("") is None


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME_VARIABLE, "Host A")
    with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_WORKSPACE_NAME: .*'Host A'"):
        requested_workspace(None)


def test_a_bare_message_is_for_the_workspace_of_its_header_or_queue() -> None:
    # Given
    headers = {"task": "artifacts.upload_run_results", "id": "a"}
    ids = {"job_id": 12, "run_id": 4}
    named = {**headers, WORKSPACE_HEADER: "host-b"}
    # Then
    assert workspace_of_message(headers, "results") is None
    for each, queue, expected in (
        (headers, "results", None),
        (headers, "results.host-a", "host-a"),
        (named, "results", "host-b"),
        (named, "results.host-a", "host-b"),
    ):
        request = bare_request(each, (), ids, queue)
        assert request is not None
        assert request.workspace == expected


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("artifacts.upload_run_results", "results.host-a"),
        ("artifacts.download_job_config", "configs.host-a"),
        ("artifacts.upload_job", "configs.host-a"),
        ("artifacts.download_job", None),
    ],
)
def test_a_task_that_is_sent_is_for_the_workspace_of_its_producer(
    monkeypatch: pytest.MonkeyPatch, task: str, queue: str | None
) -> None:
    # Given a producer without the setting, and one with it
    monkeypatch.delenv(NAME_VARIABLE, raising=False)
    assert for_own_workspace(task, {"priority": 3}) == {"priority": 3}
    monkeypatch.setenv(NAME_VARIABLE, "host-a")
    # When
    options = for_own_workspace(task, {"headers": {"a": 1}})
    # Then
    assert options["headers"] == {"a": 1, WORKSPACE_HEADER: "host-a"}
    assert options.get("queue") == queue
    # And what has its place already keeps it, as does what needs no workspace
    for given in ({"queue": "results"}, {"retries": 1}, {"headers": {WORKSPACE_HEADER: "host-b"}}):
        assert for_own_workspace(task, given) is given
    assert for_own_workspace("artifacts.dispatch", {}) == {}


def test_a_task_of_a_producer_with_a_workspace_is_sent_to_its_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given
    monkeypatch.setenv(NAME_VARIABLE, "host-a")
    app = configured(Celery("producer", set_as_current=False), "memory://")
    # When
    with producing_with(app):
        upload_job_config.delay(job_id=12)
    # Then
    with app.connection_for_read() as connection:
        message = connection.SimpleQueue("configs.host-a").get(timeout=1)
    assert message.headers[WORKSPACE_HEADER] == "host-a"


def test_a_worker_listens_only_to_queues_of_its_workspace() -> None:
    assert refusal_of(["configs", "results", "upkeep", "celery"], None) is None
    assert refusal_of([*queues_of_workspace("host-a"), "upkeep"], "host-a") is None
    refused = refusal_of(["configs.host-a", "results"], None)
    assert refused is not None
    assert refused.startswith("--queues configs.host-a: ARTIFACTS_WORKSPACE_NAME is not set")
    assert refused.endswith("Use --queues configs,results,batches")
    refused = refusal_of(["configs", "configs.host-b", "upkeep"], "host-a")
    assert refused is not None
    assert refused.startswith("--queues configs,configs.host-b: ARTIFACTS_WORKSPACE_NAME is host-a")
