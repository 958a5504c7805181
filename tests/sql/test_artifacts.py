"""What is recorded of stored artifacts, and of their runs."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import IntegrityError

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme, StoredArtifact
from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts, write_artifact
from artifact_pipeline.worker.sql.engine import make_engine, transaction
from artifact_pipeline.worker.sql.platform_tables import RunRow
from artifact_pipeline.worker.sql.tables import ArtifactRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.sql.steps import (
    CONFIG,
    CREATED_AT,
    HOUR,
    RESULTS,
    UPLOAD,
    Statements,
    claimed,
    insert_job_with_run,
    stored_artifact,
)

URL = "https://bucket.s3.invalid/jobs/12/2025/10/23/211500/run_4_results.zip"
SIGNED = UploadLocation(f"{URL}?X-Amz-Signature=abc&X-Amz-Credential=AKIA")


def write(engine: Engine, *stored: StoredArtifact) -> None:
    with transaction(engine) as connection:
        for artifact in stored:
            write_artifact(connection, artifact)


def row_of_the_run(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        return dict(connection.execute(select(RunRow.__table__)).mappings().one())


def test_what_was_never_stored_is_not_found(engine: Engine) -> None:
    write(engine, stored_artifact(RESULTS))
    assert SqlArtifacts(engine).find(CONFIG) is None


@pytest.mark.parametrize("artifact", [CONFIG, RESULTS], ids=str)
def test_what_is_written_is_found_again(engine: Engine, artifact: Artifact) -> None:
    stored = stored_artifact(artifact, links_left_out=2)
    write(engine, stored)
    assert SqlArtifacts(engine).find(artifact) == stored


@pytest.mark.parametrize(
    ("checksum", "column"),
    [
        (Checksum(SHA256, "c2hhMjU2"), "c2hhMjU2"),
        (Checksum(SHA256, "c2hhMjU2", 75), "c2hhMjU2-75"),
        (None, ""),
    ],
    ids=str,
)
def test_a_checksum_is_one_text_in_its_column(
    engine: Engine, checksum: Checksum | None, column: str
) -> None:
    stored = stored_artifact(RESULTS, checksum=checksum)
    write(engine, stored)
    with engine.connect() as connection:
        assert connection.scalar(select(ArtifactRow.s3_checksum)) == column
    assert SqlArtifacts(engine).find(RESULTS) == stored


def test_a_checksum_of_another_algorithm_is_not_recorded(engine: Engine) -> None:
    # The column does not say which algorithm its value is of.
    write(engine, stored_artifact(RESULTS, checksum=Checksum("CRC32C", "AAAAAA==")))
    found = SqlArtifacts(engine).find(RESULTS)
    assert found is not None
    assert found.object.checksum is None


def test_what_may_be_missing_may_be_missing(engine: Engine) -> None:
    stored = replace(stored_artifact(CONFIG, version_id=None), scheme=Scheme.LEGACY)
    write(engine, stored)
    assert SqlArtifacts(engine).find(CONFIG) == stored


def test_an_artifact_that_is_stored_again_is_replaced(engine: Engine) -> None:
    # Given
    write(engine, stored_artifact(CONFIG), stored_artifact(RESULTS))
    again = stored_artifact(
        RESULTS, size=3, sha256="cd" * 32, version_id=None, stored_at=CREATED_AT + 2 * HOUR
    )
    # When
    write(engine, again)
    # Then
    assert SqlArtifacts(engine).find(RESULTS) == again
    assert SqlArtifacts(engine).find(CONFIG) == stored_artifact(CONFIG)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(ArtifactRow)) == 2


def test_artifacts_of_jobs_and_of_runs_do_not_collide(engine: Engine) -> None:
    # Given every kind, in two jobs, with the same run numbers as jobs
    all_stored = [
        stored_artifact(Artifact(kind, job_id, job_id if kind.belongs_to_run else None), size=size)
        for size, (kind, job_id) in enumerate(
            [(kind, job_id) for kind in ArtifactKind for job_id in (1, 2, MAX_ID)], start=1
        )
    ]
    # When
    write(engine, *all_stored)
    # Then
    artifacts = SqlArtifacts(engine)
    for stored in all_stored:
        assert artifacts.find(stored.artifact) == stored
    assert {stored.artifact for stored in artifacts.of_job(2)} == {
        stored.artifact for stored in all_stored if stored.artifact.job_id == 2
    }


def test_the_same_artifact_twice_in_one_transaction_is_one(engine: Engine) -> None:
    with engine.begin() as connection:
        for size in (1, 2):
            write_artifact(connection, stored_artifact(CONFIG, size=size))
    assert [stored.object.size for stored in SqlArtifacts(engine).of_job(12)] == [2]


def test_results_that_are_stored_mark_their_run(engine: Engine) -> None:
    # Given
    insert_job_with_run(engine)
    before = row_of_the_run(engine)
    transfers = SqlTransfers(engine)
    # When
    transfers.record(claimed(transfers), stored_artifact(RESULTS), SIGNED)
    # Then the run says so, its URL is unsigned, and nothing else of it has changed
    after = row_of_the_run(engine)
    assert after == before | {
        "status": "DONE",
        "results_url": URL,
        "results_uploaded_at": CREATED_AT + HOUR,
        "updated_at": after["updated_at"],
    }
    assert after["updated_at"] is not None


@pytest.mark.parametrize(
    "kind", [ArtifactKind.JOB_CONFIG, ArtifactKind.JOB_INPUT, ArtifactKind.RUN_LOGS]
)
def test_kinds_without_a_column_leave_the_run_alone(engine: Engine, kind: ArtifactKind) -> None:
    # Given
    insert_job_with_run(engine)
    before = row_of_the_run(engine)
    transfers = SqlTransfers(engine)
    artifact = Artifact(kind, 12, 4 if kind.belongs_to_run else None)
    # When
    transfers.record(claimed(transfers, artifact), stored_artifact(artifact), SIGNED)
    # Then
    assert row_of_the_run(engine) == before
    assert SqlArtifacts(engine).find(artifact) is not None


def test_results_of_one_run_leave_its_siblings_alone(engine: Engine) -> None:
    # Given
    insert_job_with_run(engine)
    transfers = SqlTransfers(engine)
    sibling = Artifact(ArtifactKind.RUN_RESULTS, 12, 5)
    # When
    transfers.record(claimed(transfers, sibling), stored_artifact(sibling), SIGNED)
    # Then
    assert row_of_the_run(engine)["status"] == "RUNNING"


def test_an_artifact_that_cannot_be_written_leaves_everything_as_it_was(engine: Engine) -> None:
    # Given
    insert_job_with_run(engine)
    transfers = SqlTransfers(engine)
    claim = claimed(transfers)
    before = (row_of_the_run(engine), transfers.of_job(12))
    # When
    with pytest.raises(IntegrityError):
        transfers.record(claim, stored_artifact(RESULTS, version=None), SIGNED)
    # Then
    assert (row_of_the_run(engine), transfers.of_job(12)) == before
    assert SqlArtifacts(engine).find(RESULTS) is None
    # And the claim is good for another try
    transfers.record(claim, stored_artifact(RESULTS), SIGNED)
    assert transfers.of_job(12)[0].state is TransferState.DONE


@pytest.mark.parametrize("database", ["sqlite_url", "fresh_postgres_url"])
def test_a_run_that_cannot_be_marked_leaves_everything_as_it_was(
    database: str, request: pytest.FixtureRequest
) -> None:
    # Given
    engine = make_engine(request.getfixturevalue(database))
    insert_job_with_run(engine)
    transfers = SqlTransfers(engine)
    claim = claimed(transfers)
    before = transfers.of_job(12)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE runs RENAME TO gone"))
    # When
    with pytest.raises(ConfigurationError):
        transfers.record(claim, stored_artifact(RESULTS), SIGNED)
    # Then
    assert transfers.of_job(12) == before
    assert SqlArtifacts(engine).find(RESULTS) is None
    engine.dispose()


def test_the_claim_of_a_requested_transfer_is_one_update(engine: Engine) -> None:
    # Given
    transfers = SqlTransfers(engine)
    transfers.request(RESULTS, UPLOAD, "a")
    statements = Statements(engine)
    # When
    claimed(transfers)
    # Then: SQLite, which is in this process, looks for a tombstone by another statement
    is_sqlite = engine.dialect.name == "sqlite"
    assert statements.seen == (["UPDATE", "SELECT"] if is_sqlite else ["UPDATE"])


@pytest.mark.parametrize(
    ("artifact", "count"),
    [(CONFIG, 3), (Artifact(ArtifactKind.RUN_LOGS, 12, 4), 2), (RESULTS, 3)],
    ids=["job", "logs", "results"],
)
def test_a_record_is_one_statement_for_each_row(
    engine: Engine, artifact: Artifact, count: int
) -> None:
    # Given
    insert_job_with_run(engine)
    transfers = SqlTransfers(engine)
    claim = claimed(transfers, artifact)
    statements = Statements(engine)
    # When
    transfers.record(claim, stored_artifact(artifact), SIGNED)
    # Then
    assert statements.seen == ["INSERT", "UPDATE", "UPDATE"][:count]


def test_times_are_kept_to_the_microsecond(engine: Engine) -> None:
    stored = stored_artifact(CONFIG, stored_at=CREATED_AT + timedelta(microseconds=1))
    write(engine, stored)
    assert SqlArtifacts(engine).find(CONFIG) == stored
