"""What the platform's own code finds in its rows after a worker has recorded an artifact.

The platform's part is played in plain SQL, on tables as its own migrations make them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from artifact_pipeline.domain.errors import ConfigurationError, LeaseLostError, UnknownRunError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts, write_artifact
from artifact_pipeline.worker.sql.engine import transaction
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.sql.copies import Copies
from tests.sql.platform_ddl import make_platform
from tests.sql.steps import CONFIG, HOUR, RESULTS, UPLOAD, claimed, stored_artifact

pytestmark = pytest.mark.processes

INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
RUN_CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
DIRECTORY = "https://bucket.s3.invalid/jobs/12/2025/10/23/211500"
NAMES = {
    CONFIG: "job_config.json",
    INPUT: "job_input.zip",
    RUN_CONFIG: "run_4_config.json",
    RESULTS: "run_4_results.zip",
    LOGS: "run_4_logs.log",
}
CHANGED = {
    CONFIG: {("jobs", "config_location"), ("jobs", "updated_at")},
    INPUT: {("jobs", "input_location"), ("jobs", "updated_at")},
    RUN_CONFIG: {("runs", "config_url"), ("runs", "updated_at")},
    RESULTS: {
        *(("runs", "results_url"), ("runs", "results_uploaded_at")),
        *(("runs", "status"), ("runs", "updated_at")),
    },
    LOGS: set(),
}
"""By artifact, the columns that a record of it may change."""
UPDATED_LONG_AGO = "2025-10-23 21:16:30.000000"
each_artifact = pytest.mark.parametrize("artifact", NAMES, ids=lambda each: each.kind.value)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, copies: Copies, tmp_path: Path) -> Iterator[Engine]:
    """Of a copy of the platform's database, with the pipeline's tables beside its own."""
    with copies.of("platform", _make_platform, request.param, tmp_path) as engine:
        yield engine


def _make_platform(engine: Engine) -> None:
    make_platform(engine)
    upgrade(engine)
    with engine.begin() as connection:
        for table in ("jobs", "runs"):
            connection.execute(text(f"UPDATE {table} SET updated_at = '{UPDATED_LONG_AGO}'"))  # noqa: S608 - ours


def url_of(artifact: Artifact) -> str:
    return f"{DIRECTORY}/{NAMES[artifact]}"


def signed(artifact: Artifact) -> UploadLocation:
    return UploadLocation(f"{url_of(artifact)}?X-Amz-Signature=abc&X-Amz-Credential=AKIA")


def record(engine: Engine, artifact: Artifact) -> None:
    """As a worker that has uploaded it."""
    transfers = SqlTransfers(engine)
    transfers.record(claimed(transfers, artifact), stored_artifact(artifact), signed(artifact))


def platform_rows(engine: Engine) -> dict[tuple[str, str], Any]:
    """The job's and the run's row: every value by its table and column."""
    with engine.connect() as connection:
        return {
            (table, column): value
            for table in ("jobs", "runs")
            for column, value in connection.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 - ours
            .mappings()
            .one()
            .items()
        }


def platform_list(engine: Engine, job_id: int) -> list[tuple[str, int | None, str]]:
    """The uploads of a job as the platform lists, downloads and archives them."""
    query = """
        SELECT 'input', CAST(NULL AS INTEGER), input_location FROM jobs
         WHERE id = :job_id AND input_location IS NOT NULL
        UNION ALL SELECT 'config', NULL, config_location FROM jobs
         WHERE id = :job_id AND config_location IS NOT NULL
        UNION ALL SELECT 'config', id, config_url FROM runs
         WHERE job_id = :job_id AND config_url IS NOT NULL
        UNION ALL SELECT 'results', id, results_url FROM runs
         WHERE job_id = :job_id AND results_url IS NOT NULL"""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), {"job_id": job_id})]


def test_the_platform_lists_what_workers_have_stored(engine: Engine) -> None:
    # Given a job of which nothing is uploaded yet
    assert platform_list(engine, 12) == []
    # When a worker has uploaded an artifact of each kind
    for artifact in NAMES:
        record(engine, artifact)
    # Then the platform finds all that it has a column for, by permanent URLs
    assert platform_list(engine, 12) == [
        ("input", None, url_of(INPUT)),
        ("config", None, url_of(CONFIG)),
        ("config", 4, url_of(RUN_CONFIG)),
        ("results", 4, url_of(RESULTS)),
    ]


@each_artifact
def test_a_record_changes_the_columns_of_its_kind_and_no_other(
    engine: Engine, artifact: Artifact
) -> None:
    # Given
    before = platform_rows(engine)
    # When
    record(engine, artifact)
    # Then
    after = platform_rows(engine)
    assert {at for at in after if after[at] != before[at]} == CHANGED[artifact]
    # And the row has moved on, which is what the platform's own writes do
    moved = {at for at in CHANGED[artifact] if at[1] == "updated_at"}
    assert all(after[at] > before[at] for at in moved)


def test_an_unchanged_artifact_that_is_uploaded_again_brings_its_row_up_to_date(
    engine: Engine,
) -> None:
    # Given artifacts that were recorded before workers wrote to these columns
    artifacts = [INPUT, CONFIG, RUN_CONFIG]
    with transaction(engine) as connection:
        for artifact in artifacts:
            write_artifact(connection, stored_artifact(artifact))
    assert platform_list(engine, 12) == []
    # When
    for artifact in artifacts:
        record(engine, artifact)
    # Then
    assert [url for _, _, url in platform_list(engine, 12)] == [url_of(each) for each in artifacts]


@pytest.mark.parametrize("artifact", [CONFIG, RUN_CONFIG], ids=str)
def test_a_late_worker_tells_the_platform_nothing(engine: Engine, artifact: Artifact) -> None:
    # Given a worker whose lease has run out, and that another has taken over
    transfers = SqlTransfers(engine)
    late = transfers.claim(artifact, UPLOAD, "a", owner="worker-1", lease=timedelta(0))
    assert late is not None
    assert transfers.claim(artifact, UPLOAD, "a", owner="worker-2", lease=HOUR) is not None
    before = platform_rows(engine)
    # When
    with pytest.raises(LeaseLostError):
        transfers.record(late, stored_artifact(artifact), signed(artifact))
    # Then
    assert platform_rows(engine) == before


def test_a_row_that_cannot_be_written_leaves_the_transfer_as_it_was(engine: Engine) -> None:
    # Given a platform that refuses the write of its row
    transfers = SqlTransfers(engine)
    claim = claimed(transfers, CONFIG)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE jobs RENAME TO gone"))
    # When
    with pytest.raises(ConfigurationError):
        transfers.record(claim, stored_artifact(CONFIG), signed(CONFIG))
    # Then neither the artifact nor the end of the transfer is recorded
    assert SqlArtifacts(engine).find(CONFIG) is None
    assert transfers.of_job(12)[0].state is TransferState.RUNNING


def test_a_location_that_is_kept_for_an_upload_url_moves_the_row(engine: Engine) -> None:
    # Given
    before = platform_rows(engine)
    # When clients are given upload URLs
    SqlJobs(engine).keep_location(12, CONFIG.kind, signed(CONFIG))
    SqlJobs(engine).keep_location(12, INPUT.kind, signed(INPUT))
    SqlRuns(engine).keep_location(4, RUN_CONFIG.kind, signed(RUN_CONFIG))
    # Then
    after = platform_rows(engine)
    assert {at for at in after if after[at] != before[at]} == (
        CHANGED[CONFIG] | CHANGED[INPUT] | CHANGED[RUN_CONFIG]
    )


@pytest.mark.parametrize("zone", [None, UTC])
def test_results_that_the_platforms_call_stores(engine: Engine, zone: tzinfo | None) -> None:
    # Given
    uploaded_at = datetime(2025, 10, 26, 19, 20, tzinfo=zone)
    before = platform_rows(engine)
    # When
    SqlRuns(engine).keep_results(4, signed(RESULTS), uploaded_at)
    # Then the row says so, without the signature, and nothing else has changed
    after = platform_rows(engine)
    assert {at for at in after if after[at] != before[at]} == CHANGED[RESULTS]
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM runs WHERE id = 4")).one()
    assert (row.results_url, row.status) == (url_of(RESULTS), "DONE")
    assert str(row.results_uploaded_at)[:19] == "2025-10-26 19:20:00"


def test_results_of_an_unknown_run(engine: Engine) -> None:
    with pytest.raises(UnknownRunError):
        SqlRuns(engine).keep_results(99, signed(RESULTS), datetime.now(UTC))


def test_runs_by_the_platforms_name(engine: Engine) -> None:
    runs = SqlRuns(engine)
    assert [run.id for run in runs.find_by_job_id(12)] == [run.id for run in runs.of_job(12)] != []
