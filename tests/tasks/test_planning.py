"""Tasks that stand for one transfer or for all that there are, over use cases that only answer."""

import itertools
import json
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Retry

from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    PermanentError,
    RunOfAnotherJobError,
    SqlUnavailableError,
    StoreUnavailableError,
    TransferError,
    UnknownJobError,
    VerificationError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.arguments import bind
from artifact_pipeline.tasks.routing import (
    BATCHES,
    CONFIGS,
    RECORDED_HEADER,
    UPKEEP,
    UPLOAD_JOB,
    ids_of,
    task_name,
)
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.tasks.answering import CONFIG, Answers, answering_app, message

pytestmark = pytest.mark.processes

PLANNING = ["artifacts.confirm_upload", "artifacts.relocate_job", "artifacts.download_job"]
ONE_OR_ALL = {"artifacts.confirm_upload": Direction.CONFIRM} | {
    "artifacts.relocate_job": Direction.RELOCATE
}


@pytest.fixture
def app(broker: Valkey, answers: Answers) -> Celery:
    return answering_app(broker.url, answers)


class TestKnown:
    @pytest.mark.parametrize(("name", "direction"), ONE_OR_ALL.items())
    def test_a_message_of_a_request_is_that_transfer(
        self, app: Celery, answers: Answers, name: str, direction: Direction
    ) -> None:
        answers.known["asked"] = CONFIG
        with message(app, name, "asked") as task:
            answer = task(job_id=12)
        assert answers.asked == [("transfer", direction, CONFIG, "asked")]
        assert answer == {"state": "done", "size": 3, "seconds": 0.5}


class TestVerification:
    def test_it_says_how_many_have_each_verdict(self, app: Celery, answers: Answers) -> None:
        with message(app, "artifacts.verify_job", "somebody's") as task:
            assert task(job_id=12) == {"ok": 2}
        assert answers.asked == [("verification", 12)]

    def test_it_fails_with_what_is_not_ok(self, app: Celery, answers: Answers) -> None:
        answers.failure = VerificationError("job 12: 1 of 2 artifacts are not ok")
        verifying = message(app, "artifacts.verify_job", "somebody's")
        with verifying as task, pytest.raises(VerificationError, match="job 12: 1 of 2"):
            task(job_id=12)


class TestManifest:
    def test_it_says_whether_it_was_written(self, app: Celery, answers: Answers) -> None:
        with message(app, "artifacts.write_manifest", "somebody's") as task:
            assert task(job_id=12) == {"written": True}
        assert answers.asked == [("manifest", 12)]

    def test_a_failure_sends_no_message_since_sql_knows_that_it_is_due(
        self, app: Celery, answers: Answers, broker: Valkey
    ) -> None:
        answers.failure = StoreUnavailableError("away")
        writing = message(app, "artifacts.write_manifest", "somebody's")
        with writing as task, pytest.raises(StoreUnavailableError):
            task(job_id=12)
        with broker.client() as client:
            assert not client.exists(UPKEEP, BATCHES)


class TestRetention:
    def test_it_says_what_was_done(self, app: Celery, answers: Answers) -> None:
        with message(app, "artifacts.apply_retention", "somebody's") as task:
            assert task() == {"archived": 0, "deleted": 0, "skipped": 1, "refused": 2}
        assert answers.asked == [("retention",)]


class TestUnknown:
    @pytest.mark.parametrize(
        ("name", "ids", "asked"),
        [
            ("artifacts.confirm_upload", {"job_id": 12}, ("confirmations", 12, None)),
            ("artifacts.confirm_upload", {"job_id": 12, "run_id": 4}, ("confirmations", 12, 4)),
            ("artifacts.relocate_job", {"job_id": 12}, ("relocations", 12)),
            ("artifacts.download_job", {"job_id": 12}, ("downloads", 12)),
        ],
    )
    def test_any_other_message_asks_for_all(
        self, app: Celery, answers: Answers, name: str, ids: dict[str, int], asked: tuple[Any, ...]
    ) -> None:
        with message(app, name, "somebody's") as task:
            assert task(**ids) == {"requested": 2}
        assert answers.asked == [asked]

    @pytest.mark.parametrize("name", [*PLANNING, "artifacts.verify_job"])
    @pytest.mark.parametrize("error", [SqlUnavailableError("away"), StoreUnavailableError("away")])
    def test_it_comes_back_while_somebody_is_away(
        self, app: Celery, answers: Answers, broker: Valkey, name: str, error: TransferError
    ) -> None:
        # Given nothing of it in SQL, from where the dispatch could send it again
        answers.failure = error
        # When, however often it came back before
        with message(app, name, "somebody's") as task:
            task.request.retries = 50
            with pytest.raises(Retry) as raised:
                task(job_id=12)
        # Then the message itself waits, under the same id, and says why
        with broker.client() as client:
            (waiting,) = client.lrange(UPKEEP, 0, -1)
        headers = json.loads(waiting)["headers"]
        assert (headers["task"], headers["id"]) == (name, "somebody's")
        assert headers["eta"] is not None
        assert str(raised.value.exc) == f"{error.reason}: away"

    @pytest.mark.parametrize("name", [*PLANNING, "artifacts.upload_job_config"])
    def test_it_comes_back_after_an_error_that_nothing_has_recorded(
        self, app: Celery, answers: Answers, broker: Valkey, name: str
    ) -> None:
        # Given
        answers.failure = RuntimeError("a bug")
        # When
        with message(app, name, "somebody's") as task, pytest.raises(Retry) as raised:
            task(job_id=12)
        # Then
        with broker.client() as client:
            queues: Any = [client.lrange(queue, 0, -1) for queue in (UPKEEP, CONFIGS)]
        (waiting,) = itertools.chain.from_iterable(queues)
        assert json.loads(waiting)["headers"]["id"] == "somebody's"
        assert str(raised.value.exc) == "unexpected: RuntimeError: a bug"

    def test_what_sql_knows_is_left_to_the_dispatch_after_such_an_error(
        self, app: Celery, answers: Answers, broker: Valkey
    ) -> None:
        # Given a message that the dispatch has sent, and will send again
        answers.failure = RuntimeError("a bug")
        # When
        with (
            message(app, "artifacts.upload_job_config", "asked", **{RECORDED_HEADER: 1}) as task,
            pytest.raises(Retry) as raised,
        ):
            task(job_id=12)
        # Then there is no copy of it
        assert str(raised.value.exc) == "unexpected: RuntimeError: a bug"
        with broker.client() as client:
            assert client.exists(UPKEEP, CONFIGS) == 0

    def test_a_copy_of_a_recorded_message_is_marked_as_recorded(
        self, app: Celery, answers: Answers, broker: Valkey
    ) -> None:
        # Given the request as a worker makes it of such a message
        answers.failure = SqlUnavailableError("away")
        # When
        with (
            message(app, "artifacts.upload_job_config", "asked", **{RECORDED_HEADER: 1}) as task,
            pytest.raises(Retry),
        ):
            task(job_id=12)
        # Then
        with broker.client() as client:
            (waiting,) = client.lrange(CONFIGS, 0, -1)
        assert json.loads(waiting)["headers"][RECORDED_HEADER] == 1

    @pytest.mark.parametrize("name", PLANNING)
    @pytest.mark.parametrize("error", [UnknownJobError("there is no job 12")])
    def test_what_no_later_attempt_mends_fails(
        self, app: Celery, answers: Answers, broker: Valkey, name: str, error: PermanentError
    ) -> None:
        answers.failure = error
        with message(app, name, "somebody's") as task, pytest.raises(type(error)) as raised:
            task(job_id=12)
        assert str(raised.value) == "unknown_job: there is no job 12"
        with broker.client() as client:
            assert client.llen(UPKEEP) == 0

    def test_a_run_of_another_job_fails(self, app: Celery, answers: Answers) -> None:
        answers.failure = RunOfAnotherJobError("run 7 is not a run of job 12")
        with (
            message(app, "artifacts.confirm_upload", "somebody's") as task,
            pytest.raises(RunOfAnotherJobError, match=r"^run_of_another_job: run 7 is not"),
        ):
            task(job_id=12, run_id=7)


class TestArguments:
    @pytest.mark.parametrize("name", [*PLANNING, UPLOAD_JOB])
    @pytest.mark.parametrize(
        "wrong", [{}, {"job_id": "12"}, {"job_id": 0}, {"job_id": 12.0}, {"job_id": 12, "kind": 1}]
    )
    def test_what_are_no_ids_is_refused(
        self, app: Celery, answers: Answers, name: str, wrong: dict[str, Any]
    ) -> None:
        with message(app, name, "somebody's") as task, pytest.raises(InvalidRequestError):
            task(**wrong)
        assert answers.asked == []

    @pytest.mark.parametrize("name", ["artifacts.relocate_job", "artifacts.download_job"])
    def test_a_run_is_none_of_their_business(self, app: Celery, name: str) -> None:
        with (
            message(app, name, "somebody's") as task,
            pytest.raises(InvalidRequestError, match="run_id: not one of job_id"),
        ):
            task(job_id=12, run_id=4)

    @pytest.mark.parametrize("direction", Direction)
    @pytest.mark.parametrize("kind", ArtifactKind)
    def test_each_transfer_has_a_task_that_takes_its_ids(
        self, app: Celery, direction: Direction, kind: ArtifactKind
    ) -> None:
        artifact = Artifact(kind, 12, 4 if kind.belongs_to_run else None)
        task: Any = app.tasks[task_name(direction, kind)]
        ids = ids_of(direction, artifact)
        assert bind(task.arguments, (), ids).items() >= ids.items()
