"""Tasks that stand for one transfer or for all that there are, over use cases that only answer."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from artifact_pipeline.domain.maintenance.reconcile import ReconcileSummary
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.audit_cursor import AuditedPages
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.retention_results import RetentionResult
from artifact_pipeline.domain.model.transfers import Direction, TransferState, TransferSummary
from artifact_pipeline.domain.transfers.upload_job import JobUploads
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.arguments import bind
from artifact_pipeline.tasks.base import PipelineTask, attach_services
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

pytestmark = pytest.mark.processes

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
PLANNING = ["artifacts.confirm_upload", "artifacts.relocate_job", "artifacts.download_job"]
ONE_OR_ALL = {"artifacts.confirm_upload": Direction.CONFIRM} | {
    "artifacts.relocate_job": Direction.RELOCATE
}


@dataclass
class Answers:
    """The use cases: what they were asked, and what they answer.

    Attributes:
        known: what was requested under which id.
        failure: what every one of them raises.
        turns: what becomes of a job's uploads, turn by turn.
    """

    known: dict[str, Artifact] = field(default_factory=dict)
    failure: Exception | None = None
    turns: list[JobUploads] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def transfer(
        self,
        direction: Direction,
        artifact: Artifact,
        request_id: str,
        *,
        is_alone: bool = False,
    ) -> TransferSummary:
        del is_alone
        self._note("transfer", direction, artifact, request_id)
        return TransferSummary(state=TransferState.DONE, size=3, seconds=0.5)

    def requested(self, direction: Direction, job_id: int, request_id: str) -> Artifact | None:
        if isinstance(self.failure, SqlUnavailableError):
            raise self.failure
        del direction, job_id
        return self.known.get(request_id)

    def request_confirmations(self, job_id: int, run_id: int | None) -> int:
        self._note("confirmations", job_id, run_id)
        return 2

    def request_relocations(self, job_id: int) -> int:
        self._note("relocations", job_id)
        return 2

    def request_downloads(self, job_id: int) -> int:
        self._note("downloads", job_id)
        return 2

    def upload_job(self, job_id: int) -> JobUploads:
        self._note("uploads", job_id)
        return self.turns.pop(0)

    def verify_job(self, job_id: int) -> dict[str, int]:
        self._note("verification", job_id)
        return {"ok": 2}

    def write_manifest(self, job_id: int) -> bool:
        self._note("manifest", job_id)
        return True

    def request_manifests(self) -> int:
        raise NotImplementedError

    def dispatch(self) -> int:
        raise NotImplementedError

    def advance_batches(self) -> int:
        raise NotImplementedError

    def reconcile(self) -> ReconcileSummary:
        raise NotImplementedError

    def apply_retention(self) -> RetentionResult:
        self._note("retention")
        return RetentionResult(skipped=1, refused=2)

    def audit(self) -> AuditedPages:
        raise NotImplementedError

    def _note(self, *asked: object) -> None:
        self.asked.append(asked)
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def app(broker: Valkey, answers: Answers) -> Celery:
    app = producer_app(broker.url)
    app.loader.import_default_modules()
    attach_services(app, answers)
    return app


@contextmanager
def message(app: Celery, name: str, request_id: str, **headers: object) -> Iterator[PipelineTask]:
    """The task, as a worker has it when a message of that id has come."""
    task: Any = app.tasks[name]
    task.push_request(
        id=request_id,
        called_directly=False,
        args=(),
        kwargs={"job_id": 12},
        retries=0,
        delivery_info={"routing_key": UPKEEP},
        **headers,
    )
    try:
        yield task
    finally:
        task.pop_request()


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


class TestUploadsOfAJob:
    def test_another_message_continues_until_all_is_done(
        self, app: Celery, answers: Answers, broker: Valkey
    ) -> None:
        # Given a job whose uploads take longer than one turn
        answers.turns = [JobUploads(ended=3, failed=1, is_over=False)]
        # When
        with message(app, UPLOAD_JOB, "first") as task:
            answer = task(job_id=12)
        # Then it says what it did, and a message of the job is behind those that wait
        assert answer == {"uploaded": 3, "failed": 1}
        with broker.client() as client:
            (waiting,) = client.lrange(CONFIGS, 0, -1)
        assert json.loads(waiting)["headers"]["task"] == UPLOAD_JOB
        # And the last one sends none
        answers.turns = [JobUploads(ended=1, failed=0, is_over=True)]
        with message(app, UPLOAD_JOB, "second") as task:
            assert task(job_id=12) == {"uploaded": 1, "failed": 0}
        with broker.client() as client:
            assert client.llen(CONFIGS) == 1
        assert answers.asked == [("uploads", 12)] * 2

    def test_the_dispatch_continues_while_the_broker_is_away(
        self, app: Celery, answers: Answers, broker: Valkey, caplog: pytest.LogCaptureFixture
    ) -> None:
        # Given
        answers.turns = [JobUploads(ended=3, failed=0, is_over=False)]
        broker.kill()
        # When
        try:
            with message(app, UPLOAD_JOB, "first") as task:
                answer = task(job_id=12)
        finally:
            broker.start()
        # Then
        assert answer == {"uploaded": 3, "failed": 0}
        assert "the uploads of job 12 wait for the dispatch" in caplog.text

    @pytest.mark.parametrize(
        ("error", "waiting"), [(SqlUnavailableError("away"), 1), (RuntimeError("a bug"), 0)]
    )
    def test_it_comes_back_while_sql_is_away_and_leaves_a_bug_to_the_dispatch(
        self, app: Celery, answers: Answers, broker: Valkey, error: Exception, waiting: int
    ) -> None:
        answers.failure = error
        with message(app, UPLOAD_JOB, "first") as task, pytest.raises(Retry):
            task(job_id=12)
        with broker.client() as client:
            assert client.exists(UPKEEP, CONFIGS) == waiting


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
