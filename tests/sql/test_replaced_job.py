"""An upload that still runs while its job is deleted and its id used again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import JobReplacedError, RunOfAnotherJobError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.databases import Databases
from tests.sql.steps import CONFIG, CREATED_AT, RESULTS, claimed, job_row, run_row, stored_artifact

pytestmark = pytest.mark.processes

INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
RUN_CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
LATER = CREATED_AT + timedelta(seconds=1)
each_artifact = pytest.mark.parametrize(
    "artifact", [CONFIG, INPUT, RUN_CONFIG, RESULTS, LOGS], ids=lambda each: each.kind.value
)


@pytest.fixture(params=["sqlite", "timestamp", "timestamptz"])
def engine(
    request: pytest.FixtureRequest, databases: Databases, sqlite_url: str
) -> Iterator[Engine]:
    """With job 12 and its run 4; PostgreSQL with and without a time zone in the column."""
    url = sqlite_url
    if request.param != "sqlite":
        url = databases.altered(request.param, partial(_give_the_type, request.param))
    engine = make_engine(url)
    insert_job(engine)
    yield engine
    engine.dispose()


def _give_the_type(time_type: str, url: str) -> None:
    engine = make_engine(url)
    column = "ALTER TABLE jobs ALTER created_at TYPE"
    with engine.begin() as connection:
        connection.execute(text(f"{column} {time_type} USING created_at AT TIME ZONE 'UTC'"))
    engine.dispose()


def insert_job(engine: Engine, **values: Any) -> None:
    with Session(engine) as session, session.begin():
        session.add(job_row(**values))
        session.flush()
        session.add(run_row())


def use_the_id_again(engine: Engine, **values: Any) -> None:
    """As the platform does on SQLite: it deletes the job and its run, and inserts others."""
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM runs WHERE id = 4"))
        connection.execute(text("DELETE FROM jobs WHERE id = 12"))
    insert_job(engine, **{"created_at": LATER, **values})


def stored(artifact: Artifact) -> StoredArtifact:
    """What a worker has put where the old job's creation time places it."""
    row = stored_artifact(artifact)
    return replace(row, object=replace(row.object, key=JobS3Prefix(12, CREATED_AT).key(artifact)))


def location(artifact: Artifact) -> UploadLocation:
    return UploadLocation(f"https://bucket.s3.invalid/{stored(artifact).object.key}")


def platform_rows(engine: Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [
            dict(connection.execute(text(f"SELECT * FROM {table}")).mappings().one())  # noqa: S608 - ours
            for table in ("jobs", "runs")
        ]


class TestTheJobIsAnother:
    @each_artifact
    def test_an_upload_records_nothing(self, engine: Engine, artifact: Artifact) -> None:
        # Given an upload under way
        transfers = SqlTransfers(engine)
        claim = claimed(transfers, artifact)
        # When the job's id is used again before it is recorded
        use_the_id_again(engine)
        before = platform_rows(engine)
        with pytest.raises(JobReplacedError, match="its id used again"):
            transfers.record(claim, stored(artifact), location(artifact))
        # Then nothing is said of the new job, and the attempt may yet end with the reason
        assert platform_rows(engine) == before
        assert SqlArtifacts(engine).find(artifact) is None
        assert [each.state for each in transfers.of_job(12)] == [TransferState.RUNNING]

    @each_artifact
    def test_a_confirmation_records_nothing(self, engine: Engine, artifact: Artifact) -> None:
        transfers = SqlTransfers(engine)
        claim = claimed(transfers, artifact)
        use_the_id_again(engine)
        before = platform_rows(engine)
        with pytest.raises(JobReplacedError):
            transfers.adopt(claim, stored(artifact), location(artifact), None)
        assert platform_rows(engine) == before
        assert SqlArtifacts(engine).find(artifact) is None

    def test_results_without_a_worker_record_nothing(self, engine: Engine) -> None:
        use_the_id_again(engine)
        before = platform_rows(engine)
        with pytest.raises(JobReplacedError):
            SqlArtifacts(engine).record(stored(RESULTS), location(RESULTS), None)
        assert platform_rows(engine) == before
        assert SqlArtifacts(engine).find(RESULTS) is None

    @pytest.mark.parametrize("artifact", [RUN_CONFIG, RESULTS, LOGS], ids=str)
    def test_a_run_that_is_another_jobs(self, engine: Engine, artifact: Artifact) -> None:
        # Given a run whose id a run of another job gets
        transfers = SqlTransfers(engine)
        claim = claimed(transfers, artifact)
        with Session(engine) as session, session.begin():
            session.add(job_row(13))
            session.flush()
            session.execute(text("UPDATE runs SET job_id = 13 WHERE id = 4"))
        with engine.connect() as connection:
            before = connection.execute(text("SELECT * FROM runs")).one()
        # When / Then
        with pytest.raises(RunOfAnotherJobError):
            transfers.record(claim, stored(artifact), location(artifact))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT * FROM runs")).one() == before


class TestTheJobIsTheSame:
    @each_artifact
    @pytest.mark.parametrize("microsecond", [0, 1, 500_000, 999_400, 999_999])
    def test_its_second_counts(self, engine: Engine, artifact: Artifact, microsecond: int) -> None:
        # Given a creation time with sub-seconds, which the directory does not have
        use_the_id_again(engine, created_at=CREATED_AT.replace(microsecond=microsecond))
        transfers = SqlTransfers(engine)
        # When
        transfers.record(claimed(transfers, artifact), stored(artifact), location(artifact))
        # Then
        assert SqlArtifacts(engine).find(artifact) is not None
        assert transfers.of_job(12)[0].state is TransferState.DONE

    @pytest.mark.parametrize("written", ["2025-10-23 21:15:00", "2025-10-23T21:15:00.25"])
    def test_however_the_platform_writes_it(self, engine: Engine, written: str) -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET created_at = :at"), {"at": written})
        transfers = SqlTransfers(engine)
        transfers.record(claimed(transfers, CONFIG), stored(CONFIG), location(CONFIG))
        assert platform_rows(engine)[0]["config_location"] == location(CONFIG).url

    def test_whatever_the_zone_of_the_session(self, engine: Engine) -> None:
        with Session(engine) as session, session.begin():
            if engine.dialect.name == "postgresql":
                session.execute(text("SET timezone = 'Asia/Kolkata'"))
            SqlArtifacts(session).record(stored(RESULTS), location(RESULTS), None)
        assert platform_rows(engine)[1]["results_url"] == location(RESULTS).url

    def test_a_job_that_is_gone_is_recorded_as_before(self, engine: Engine) -> None:
        transfers = SqlTransfers(engine)
        claim = claimed(transfers, RESULTS)
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM runs WHERE id = 4"))
            connection.execute(text("DELETE FROM jobs WHERE id = 12"))
        transfers.record(claim, stored(RESULTS), location(RESULTS))
        assert transfers.of_job(12)[0].state is TransferState.DONE
