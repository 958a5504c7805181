"""Repositories in a producer's own session: what they write commits with it, or not at all."""

import pytest
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import InvalidRequestError, UnknownJobError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import SessionRequests, request_download
from tests.sql.producer import sent_to
from tests.sql.steps import CONFIG, HOUR, RESULTS, insert, job_row, run_row

SIGNED = UploadLocation("https://user@bucket.s3.invalid/key?X-Amz-Signature=abc")
RUN_CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)
RUN_LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)


def test_a_job_that_is_not_committed_yet_is_seen(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(job_row(12))
        # Not even flushed
        assert SqlJobs(session).get(12).id == 12
        session.rollback()
    with pytest.raises(UnknownJobError):
        SqlJobs(engine).get(12)


def test_what_is_written_is_rolled_back_with_the_session(engine: Engine) -> None:
    insert(engine, job_row(12))
    with Session(engine) as session:
        SqlJobs(session).keep_location(12, ArtifactKind.JOB_CONFIG, SIGNED)
        SqlTransfers(session).expect(CONFIG, "a", HOUR)
        session.rollback()
    assert SqlJobs(engine).get(12).config_location is None
    assert SqlTransfers(engine).of_job(12) == []


def test_locations_are_kept_without_their_signature(engine: Engine) -> None:
    insert(engine, job_row(12), run_row(4))
    with Session(engine) as session, session.begin():
        SqlJobs(session).keep_location(12, ArtifactKind.JOB_CONFIG, SIGNED)
        SqlJobs(session).keep_location(12, ArtifactKind.JOB_INPUT, SIGNED)
        SqlRuns(session).keep_location(4, ArtifactKind.RUN_CONFIG, SIGNED)
    job, run = SqlJobs(engine).get(12), SqlRuns(engine).get(4)
    kept = "https://bucket.s3.invalid/key"
    assert (job.config_location, job.input_location, run.config_url) == (kept, kept, kept)
    assert run.results_url is None


def test_the_platform_keeps_no_location_of_logs(engine: Engine) -> None:
    insert(engine, job_row(12), run_row(4))
    with pytest.raises(InvalidRequestError, match="keeps no location of run_logs"):
        SqlRuns(engine).keep_location(4, ArtifactKind.RUN_LOGS, SIGNED)


def test_a_download_is_sent_after_the_commit(engine: Engine, app: Celery, broker: Valkey) -> None:
    with Session(engine) as session, session.begin():
        transfer = request_download(session, ArtifactKind.RUN_RESULTS, 12, 4, app=app)
        assert sent_to(broker) == []
    (message,) = sent_to(broker)
    assert (message.task, message.id) == ("artifacts.download_run_results", transfer.request_id)
    assert transfer.direction is Direction.DOWNLOAD


def test_an_upload_and_a_download_of_one_artifact_are_two_transfers(
    engine: Engine, app: Celery
) -> None:
    with Session(engine) as session, session.begin():
        requests = SessionRequests(session, app)
        up, down = (requests.request(RESULTS, each) for each in list(Direction)[:2])
        assert up.id != down.id


def test_a_confirmation_is_sent_after_the_commit(
    engine: Engine, app: Celery, broker: Valkey
) -> None:
    insert(engine, job_row(12))
    SqlTransfers(engine).expect(CONFIG, "a", HOUR)
    with Session(engine) as session, session.begin():
        (expected,) = SessionRequests(session, app).confirm(12, None)
        assert sent_to(broker) == []
    (message,) = sent_to(broker)
    assert (message.task, message.id, message.job_id) == ("artifacts.confirm_upload", "a", 12)
    assert expected.state is TransferState.REQUESTED


def test_a_confirmation_of_nothing_sends_nothing(
    engine: Engine, app: Celery, broker: Valkey
) -> None:
    with Session(engine) as session, session.begin():
        assert SessionRequests(session, app).confirm(12, 4) == []
    assert sent_to(broker) == []
