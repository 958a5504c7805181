"""`artifacts jobs uploads relocate --from-shifted`: what was stored some hours off."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Answer, Command
from tests.cli.shelf import CONFIG, INPUT, LOGS, NAMES, RESULTS, Shelf, key_of
from tests.databases import Databases

RELOCATE = ("jobs", "uploads", "relocate", "12", "--json", "--from-shifted")
STORED = (CONFIG, RESULTS, LOGS)
RECORDED_IN = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
"""The time of the directory that the artifacts are recorded in; see `key_of`."""
NOT_SHIFTED = "no artifact is recorded in a directory"


@pytest.fixture
def timestamptz(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A PostgreSQL database whose jobs have `created_at` with a time zone, and no UTC session."""
    with databases.fresh() as url:
        monkeypatch.setenv("PGTZ", "America/New_York")
        engine = make_engine(url)
        with Session(engine) as session, session.begin():
            session.add(JobRow(id=12, user_id=1, status="PROCESSING", created_at=RECORDED_IN))
            session.flush()
            for run_id in (4, 5):
                row = RunRow(id=run_id, job_id=12, user_id=1, status="DONE", created_at=RECORDED_IN)
                session.add(row)
        with engine.begin() as connection:
            of_utc = "ALTER TABLE jobs ALTER created_at TYPE timestamptz"
            connection.execute(text(f"{of_utc} USING created_at AT TIME ZONE 'UTC'"))
        yield engine
        engine.dispose()


@pytest.fixture
def on_timestamptz(timestamptz: Engine, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The commands see that database instead of SQLite's."""
    url = timestamptz.url.render_as_string(hide_password=False)
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", url)
    return Shelf(engine=timestamptz, client=shelf.client, bucket=shelf.bucket, url=shelf.url)


def shift(shelf: Shelf, hours: float) -> None:
    """Record job 12's artifacts, and have its directory be so many hours off."""
    for artifact in STORED:
        shelf.record(artifact, artifact.kind.encode())
    created_at = RECORDED_IN - timedelta(hours=hours)
    with shelf.engine.begin() as connection:
        # With its zone where the column has one: a time without is of the session's.
        zone = "%z" if connection.dialect.name == "postgresql" else ""
        values = {"time": created_at.strftime(f"%Y-%m-%d %H:%M:%S.%f{zone}")}
        connection.execute(text("UPDATE jobs SET created_at = :time WHERE id = 12"), values)


def key_after(artifact: Artifact, hours: float) -> str:
    directory = RECORDED_IN - timedelta(hours=hours)
    return f"jobs/12/{directory:%Y/%m/%d/%H%M%S}/{NAMES[artifact]}"


def outcomes(answer: Answer) -> dict[str, str]:
    return {row["kind"]: row["outcome"] for row in answer.json}


def kept_config(shelf: Shelf) -> str | None:
    with Session(shelf.engine) as session:
        return session.scalar(select(JobRow.config_location).where(JobRow.id == 12))


def test_by_default_it_only_shows_what_it_would_do(artifacts: Command, shelf: Shelf) -> None:
    # Given
    shift(shelf, -4)
    before = shelf.keys()
    # When
    answer = artifacts(*RELOCATE, "-4", "--delete-old")
    # Then
    assert (answer.status, set(outcomes(answer).values())) == (0, {"would be copied"})
    assert len(answer.json) == len(STORED)
    assert answer.err == "nothing was changed; give --yes to copy and record these artifacts\n"
    assert (shelf.keys(), SqlTransfers(shelf.engine).of_job(12)) == (before, [])
    assert shelf.stored(CONFIG).object.key == key_of(CONFIG)


@pytest.mark.parametrize("hours", [-4, 5.5])
def test_they_are_copied_and_recorded(artifacts: Command, shelf: Shelf, hours: float) -> None:
    is_copied_and_recorded(artifacts, shelf, hours)


def test_they_are_copied_where_the_time_has_a_zone(
    artifacts: Command, on_timestamptz: Shelf
) -> None:
    is_copied_and_recorded(artifacts, on_timestamptz, -4)


def is_copied_and_recorded(artifacts: Command, shelf: Shelf, hours: float) -> None:
    # Given that the list shows them as another job's
    shift(shelf, hours)
    listed = artifacts("jobs", "uploads", "list", "12", "--json")
    assert {row["state"] for row in listed.json} == {"foreign"}
    # When
    answer = artifacts(*RELOCATE, str(hours), "--yes")
    # Then rows and columns name the right directory
    assert (answer.status, set(outcomes(answer).values())) == (0, {"copied"})
    for artifact in STORED:
        stored = shelf.stored(artifact)
        assert stored.object.key == key_after(artifact, hours)
        assert shelf.body(stored.object.key) == artifact.kind.encode()
    assert (kept_config(shelf) or "").endswith(key_after(CONFIG, hours))
    # And nothing was deleted
    assert shelf.keys() == {key_of(each) for each in STORED} | {
        key_after(each, hours) for each in STORED
    }
    assert artifacts(*RELOCATE, str(hours), "--yes").json == []


@pytest.mark.parametrize("hours", ["-4", "5.5"])
def test_the_old_ones_go_when_told_to(artifacts: Command, shelf: Shelf, hours: str) -> None:
    # Given, in the directory that is off, an object that no row names
    shift(shelf, float(hours))
    others = shelf.put(INPUT, b"another job's")
    # When they are copied, and the old ones deleted by a later command
    artifacts(*RELOCATE, hours, "--yes")
    answer = artifacts(*RELOCATE, hours, "--yes", "--delete-old")
    # Then only what was copied is gone
    assert {row["kind"]: (row["outcome"], row["error"]) for row in answer.json} == {
        "job_config": ("deleted", None),
        "job_input": ("kept", "foreign"),
        "run_results": ("deleted", None),
        "run_logs": ("deleted", None),
    }
    assert shelf.keys() == {others, *(key_after(each, float(hours)) for each in STORED)}


def test_they_go_with_the_same_command(artifacts: Command, shelf: Shelf) -> None:
    shift(shelf, 5)
    answer = artifacts(*RELOCATE, "5", "--yes", "--delete-old")
    assert [row["outcome"] for row in answer.json] == ["copied"] * 3 + ["deleted"] * 3
    assert shelf.keys() == {key_after(each, 5) for each in STORED}


@pytest.mark.parametrize("hours", ["4", "-5", "-4.5"])
def test_a_directory_that_is_not_so_far_off_is_another_jobs(
    artifacts: Command, shelf: Shelf, hours: str
) -> None:
    # Given
    shift(shelf, -4)
    before = shelf.keys()
    # When
    answer = artifacts("jobs", "uploads", "relocate", "12", "--from-shifted", hours, "--yes")
    # Then
    assert (answer.status, answer.out) == (0, f"{NOT_SHIFTED} {float(hours):+g} hours off\n")
    assert (shelf.keys(), shelf.stored(CONFIG).object.key) == (before, key_of(CONFIG))


def test_one_that_is_gone_fails_in_the_preview_too(artifacts: Command, shelf: Shelf) -> None:
    # Given
    shift(shelf, 2)
    shelf.client.delete_object(Bucket=shelf.bucket, Key=key_of(CONFIG))
    expected = {"job_config": "failed", "run_results": "would be copied"}
    # When
    answer = artifacts(*RELOCATE, "2")
    # Then
    assert answer.status == 1
    assert outcomes(answer) == {**expected, "run_logs": "would be copied"}
    (failed,) = [row for row in answer.json if row["outcome"] == "failed"]
    assert "the store does not have the object that the row names" in failed["error"]


def test_those_of_every_job(artifacts: Command, shelf: Shelf) -> None:
    # Given that only job 12 was created at another time than its directory says
    shift(shelf, 2)
    # When
    answer = artifacts("jobs", "uploads", "relocate", "--all", "--json", "--from-shifted", "2")
    # Then
    assert {row["job_id"] for row in answer.json} == {12}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from-shifted", "0"), "--from-shifted 0: give hours from -26 to 26 except 0"),
        (("--from-shifted", "27"), "--from-shifted 27: give hours"),
        (("--from-shifted", "1.001"), "in whole minutes, such as -4 or 5.5"),
        (("--from-shifted", "nan"), "--from-shifted nan: give hours"),
        (("--yes",), "--yes needs --from-shifted: give both"),
        (("--from-shifted", "4", "--yes", "--dry-run"), "give one of them"),
    ],
)
def test_options_that_fit_nothing(artifacts: Command, options: tuple[str, ...], said: str) -> None:
    answer = artifacts("jobs", "uploads", "relocate", "12", *options)
    assert answer.status == 2
    assert said in " ".join(answer.err.split())
