"""The task for all uploads of a job: a turn, and a message for the next."""

import json

import pytest
from celery import Celery
from celery.exceptions import Retry

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.transfers.upload_job import JobUploads
from artifact_pipeline.tasks.routing import CONFIGS, UPKEEP, UPLOAD_JOB
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.tasks.answering import Answers, answering_app, message

pytestmark = pytest.mark.processes


@pytest.fixture
def app(broker: Valkey, answers: Answers) -> Celery:
    return answering_app(broker.url, answers)


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
