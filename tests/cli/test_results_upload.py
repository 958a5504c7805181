"""`artifacts jobs results upload`."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from artifact_pipeline.worker.sql.platform_tables import RunRow
from artifact_pipeline.worker.workspace.extra_fields import mtime_ns_of
from tests.cli.commands import Answer, Command
from tests.cli.shelf import RESULTS, Shelf, key_of
from tests.workspace.trees import plant, unzipped

pytestmark = pytest.mark.processes

FILES = {"RUN1/out.csv": b"1", "RUN2/out.csv": b"2"}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    plant(tmp_path / "results", {**FILES, "notes.txt": b"mine"})
    return tmp_path / "results"


@pytest.fixture
def upload(artifacts: Command, shelf: Shelf) -> Command:
    del shelf

    def run(directory: Path, job_id: int = 12, run_id: int = 4) -> Answer:
        return artifacts(
            *("jobs", "results", "upload", "--job-id", str(job_id), "--run-id", str(run_id)),
            *("--results-dir", str(directory), "--json"),
        )

    return run


def test_they_are_stored_and_recorded_without_a_worker(
    upload: Command, shelf: Shelf, results: Path
) -> None:
    answer = upload(results)
    assert (answer.status, answer.err) == (0, "")
    (row,) = answer.json
    stored = shelf.stored(RESULTS).object
    assert (row["key"], row["sha256"]) == (stored.key, stored.sha256)
    assert stored.key == key_of(RESULTS)
    assert unzipped(shelf.body(stored.key)) == FILES
    with Session(shelf.engine) as session:
        assert session.get_one(RunRow, 4).results_url == f"{shelf.url}/{shelf.bucket}/{stored.key}"


def test_one_run_directory_is_taken_like_the_directory_that_holds_it(
    upload: Command, shelf: Shelf, results: Path
) -> None:
    answer = upload(results / "RUN2")
    assert (answer.status, answer.err) == (0, "")
    assert unzipped(shelf.body(key_of(RESULTS))) == {"RUN2/out.csv": b"2"}


def test_people_get_a_table(artifacts: Command, shelf: Shelf, results: Path) -> None:
    del shelf
    answer = artifacts(
        *("jobs", "results", "upload", "--job-id", "12", "--run-id", "4"),
        *("--results-dir", str(results)),
    )
    assert "run_4_results.zip" in answer.out.splitlines()[1]


@pytest.mark.parametrize(
    ("job_id", "run_id", "said"),
    [
        (99, 4, "there is no job 99"),
        (12, 99, "there is no run 99"),
        (12, 7, "run 7 is not a run of job 12"),
    ],
)
def test_a_run_that_is_none_of_the_jobs_is_one_line(  # noqa: PLR0913, PLR0917 - a table
    upload: Command, shelf: Shelf, results: Path, job_id: int, run_id: int, said: str
) -> None:
    answer = upload(results, job_id, run_id)
    assert (answer.status, answer.error) == (1, f"artifacts: {said}")
    assert not shelf.keys()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"notes.txt": b"mine"}, "run_results of job 12 run 4: no RUN directory"),
        ({"RUN1": None}, "run_results of job 12 run 4: no file in any RUN directory"),
        ({"notes/RUN1": b"mine"}, "run_results of job 12 run 4: no RUN directory"),
    ],
)
def test_results_that_are_none_are_one_line(
    upload: Command, tmp_path: Path, files: dict[str, bytes | None], said: str
) -> None:
    plant(tmp_path, files)
    answer = upload(tmp_path)
    assert (answer.status, answer.error) == (1, f"artifacts: {said}")


def test_a_directory_that_is_not_there_is_wrong_use(upload: Command, tmp_path: Path) -> None:
    answer = upload(tmp_path / "nowhere")
    assert answer.status == 2
    assert "does not exist" in answer.err


def test_the_times_are_kept_if_they_are_asked_for(
    upload: Command, shelf: Shelf, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTIFACTS_ZIP_TIMES", "keep")
    os.utime(results / "RUN1/out.csv", (1_700_000_000, 1_700_000_000))
    assert upload(results).status == 0
    with zipfile.ZipFile(io.BytesIO(shelf.body(key_of(RESULTS)))) as archive:
        extra = archive.getinfo("RUN1/out.csv").extra
    assert mtime_ns_of(extra) == 1_700_000_000 * 10**9
