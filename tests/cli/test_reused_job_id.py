"""The commands, where a job was deleted and SQLite has given its id to another."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import ArtifactMissingError
from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.transfers.upload import UploadArtifact
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.composition.producer import Producer
from artifact_pipeline.worker.settings import OperatorSettings, ProducerSettings, load
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.workspace import Workspace
from tests.cli.commands import Answer, Command
from tests.cli.shelf import CONFIG, INPUT, LOGS, RESULTS, Shelf, key_of, zip_of
from tests.s3.steps import Progress, source_of, store_of

pytestmark = pytest.mark.processes

CREATED_AT = datetime(2026, 2, 1, 8, 30, 0, 250_000, tzinfo=UTC)
DIRECTORY = "jobs/12/2026/02/01/083000/"
OLD_JOBS = {"job_config", "job_input", "run_results", "run_logs"}


@pytest.fixture
def shelf(shelf: Shelf) -> Shelf:
    """With the old job's artifacts: recorded, unrecorded, and by the old rule."""
    shelf.record(CONFIG, b"old config")
    shelf.put(INPUT, b"old input")
    shelf.record(RESULTS, zip_of({"RUN1/out.csv": b"old"}))
    shelf.put_old(LOGS, b"old logs")
    _use_the_id_again(shelf.engine)
    return shelf


def _use_the_id_again(engine: Engine) -> None:
    """As the platform does: it deletes the job and its runs, and inserts others."""
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM runs WHERE job_id = 12"))
        connection.execute(text("DELETE FROM jobs WHERE id = 12"))
    with Session(engine) as session, session.begin():
        session.add(JobRow(id=12, user_id=2, status="CREATED", created_at=CREATED_AT, tags=[]))
        session.flush()
        for run_id in (4, 5):
            row = RunRow(id=run_id, job_id=12, user_id=2, status="QUEUED", created_at=CREATED_AT)
            session.add(row)


def rows(answer: Answer, state: str) -> dict[str, dict[str, Any]]:
    return {row["kind"]: row for row in answer.json if row["state"] == state}


@pytest.fixture
def uploads(artifacts: Command) -> Command:
    def run(command: str, *options: str) -> Answer:
        return artifacts("jobs", "uploads", command, "--job-id", "12", "--json", *options)

    return run


@pytest.mark.usefixtures("shelf")
def test_the_list_shows_the_old_jobs_as_foreign(uploads: Command, artifacts: Command) -> None:
    answer = uploads("list")
    assert (answer.status, {row["state"] for row in answer.json}) == (0, {"foreign"})
    assert set(rows(answer, "foreign")) == OLD_JOBS
    # And what is recorded of the old job is not said to be stored of the new one
    assert artifacts("jobs", "info", "12", "--json").json["artifacts"] == []


@pytest.mark.usefixtures("shelf")
def test_nothing_of_the_old_job_is_downloaded(uploads: Command, tmp_path: Path) -> None:
    answer = uploads("download", "--output-dir", str(tmp_path / "out"))
    assert (answer.status, answer.error) == (
        1,
        "artifacts: job 12: not in the store; see `artifacts jobs uploads list 12`",
    )
    assert not (tmp_path / "out").exists()


def test_nothing_of_the_old_job_is_archived_or_moved(uploads: Command, shelf: Shelf) -> None:
    before = shelf.keys()
    assert uploads("archive").json == []
    moved = uploads("relocate", "--delete-old")
    assert {(row["outcome"], row["error"]) for row in moved.json} == {("kept", "foreign")}
    assert shelf.keys() == before
    assert shelf.storage_class(CONFIG) == "STANDARD"


def test_no_url_of_the_old_jobs_results_is_given(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", "redis://127.0.0.1:1/0")
    producer = Producer(load(ProducerSettings))
    with Session(shelf.engine) as session:
        controller = producer.controller(session)
        with pytest.raises(ArtifactMissingError):
            controller.get_run_results(12, 4)
        assert controller.get_job_uploads(12) == []


def test_an_upload_replaces_the_row_and_leaves_the_object(
    uploads: Command, artifacts: Command, shelf: Shelf, tmp_path: Path
) -> None:
    # Given results of the new job's run
    (tmp_path / "OUT" / "RUN1").mkdir(parents=True)
    (tmp_path / "OUT" / "RUN1" / "out.csv").write_bytes(b"new")
    # When
    uploaded = artifacts(
        *("jobs", "results", "upload", "12", "--run-id", "4"),
        *("--results-dir", str(tmp_path / "OUT"), "--json"),
    )
    # Then the row is the new job's, and the old one's object is there still
    assert uploaded.status == 0
    key = f"{DIRECTORY}run_4_results.zip"
    assert shelf.stored(RESULTS).object.key == key
    assert {key, key_of(RESULTS)} <= shelf.keys()
    listed = uploads("list")
    assert rows(listed, "stored")["run_results"]["location"].endswith(key)
    assert set(rows(listed, "foreign")) == OLD_JOBS
    # And it alone is downloaded
    answer = uploads("download", "--output-dir", str(tmp_path / "out"))
    assert (answer.status, [row["kind"] for row in answer.json]) == (0, ["run_results"])
    downloaded = Path(answer.json[0]["path"]).read_bytes()
    assert downloaded == shelf.body(key) != shelf.body(key_of(RESULTS))


def test_a_worker_stores_the_new_jobs_config_under_its_own_time(
    shelf: Shelf, tmp_path: Path
) -> None:
    # Given the same bytes as the old job's
    workspace = tmp_path / "workspace"
    (workspace / "job_12").mkdir(parents=True)
    (workspace / "job_12" / "job_config.json").write_bytes(b"old config")
    using = Adapters(load(OperatorSettings), "tests")
    upload = UploadArtifact(
        transfers=using.transfers,
        placement=using.placement,
        artifacts=using.artifacts,
        workspace=Workspace(workspace),
        store=using.store,
    )
    # When
    run = using.runner(lambda _: upload)
    assert run(CONFIG, Direction.UPLOAD, "asked").state is TransferState.DONE
    # Then row and platform have the new one
    key = f"{DIRECTORY}job_config.json"
    assert shelf.stored(CONFIG).object.key == key
    assert (using.jobs.get(12).config_location or "").endswith(f"/{key}")
    assert {key, key_of(CONFIG)} <= shelf.keys()
    using.close()


def test_a_job_that_has_nothing_finds_nothing_at_any_place(shelf: Shelf) -> None:
    # Given a platform's row that still names the old job's config
    shelf.keep_location(f"{shelf.url}/{shelf.bucket}/{key_of(CONFIG)}")
    using = Adapters(load(OperatorSettings), "tests")
    # When / Then
    for artifact in (CONFIG, INPUT, RESULTS, LOGS):
        assert list(using.locate.candidates(artifact)) == []
    using.close()


def test_what_a_second_database_on_the_bucket_has_stored_is_foreign(
    uploads: Command, shelf: Shelf, tmp_path: Path
) -> None:
    # Given a later job 12 of another database: one upload of its worker, and one of its client
    other = "jobs/12/2026/11/01/093000/"
    store = store_of(shelf.client, shelf.bucket)
    store.put(
        f"{other}run_4_results.zip",
        source_of(b"theirs"),
        content_type=RESULTS.kind.content_type,
        metadata=RESULTS.metadata,
        precondition=Create(),
        progress=Progress(),
    )
    shelf.client.put_object(Bucket=shelf.bucket, Key=f"{other}job_config.json", Body=b"theirs")
    before = shelf.keys()
    # When / Then
    listed = [row for row in uploads("list").json if f"/{other}" in row["location"]]
    assert {(row["kind"], row["state"]) for row in listed} == {
        ("job_config", "foreign"),
        ("run_results", "foreign"),
    }
    assert uploads("download", "--output-dir", str(tmp_path / "out")).status == 1
    assert uploads("archive", "--all-kinds").json == []
    moved = uploads("relocate", "--delete-old", "--only-database")
    assert {(row["outcome"], row["error"]) for row in moved.json} == {("kept", "foreign")}
    assert shelf.keys() == before


def test_the_old_jobs_transfers_are_left_out_of_the_status(
    artifacts: Command, uploads: Command, shelf: Shelf
) -> None:
    # Given transfers of the old job, of which one was given up for the id was used again
    transfers = SqlTransfers(shelf.engine)
    old = [transfers.request(each, Direction.UPLOAD, "old") for each in (CONFIG, INPUT)]
    with Session(shelf.engine) as session, session.begin():
        ended = update(TransferRow).where(TransferRow.id.in_([each.id for each in old]))
        session.execute(ended.values(state="quarantined", reason_code="job_replaced"))
        earlier = CREATED_AT - timedelta(days=1)
        first = update(TransferRow).where(TransferRow.id == old[0].id)
        session.execute(first.values(reason_code="source_missing", requested_at=earlier))
    # And one of the new job
    asked = transfers.request(INPUT, Direction.UPLOAD, "new")
    # When / Then
    status = artifacts("jobs", "status", "12", "--json")
    assert [row["id"] for row in status.json] == [asked.id]
    assert "of an earlier job with this id: 2 (--all shows them)" in status.err
    every = artifacts("jobs", "status", "12", "--all", "--json")
    assert [row["id"] for row in every.json] == [*(each.id for each in old), asked.id]
    assert "earlier job" not in every.err
    # And they are no failed artifacts of the new job
    assert set(rows(uploads("list"), "quarantined")) == set()
    assert set(rows(uploads("list"), "requested")) == {"job_input"}
