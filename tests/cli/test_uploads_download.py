"""`artifacts jobs uploads download`."""

from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from tests.cli.commands import Answer, Command
from tests.cli.shelf import ALL, INPUT, LOGS, NAMES, RESULTS, Shelf, files, stock, zip_of

pytestmark = pytest.mark.processes


@pytest.fixture
def shelf(shelf: Shelf) -> Shelf:
    """With everything of job 12."""
    stock(shelf)
    return shelf


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def download(artifacts: Command, output: Path) -> Command:
    def run(*options: str, job_id: int = 12) -> Answer:
        return artifacts(
            *("jobs", "uploads", "download", "--job-id", str(job_id)),
            *("--output-dir", str(output), "--json", *options),
        )

    return run


def outcomes(answer: Answer) -> dict[str, str]:
    return {row["kind"]: row["outcome"] for row in answer.json}


@pytest.mark.usefixtures("shelf")
class TestFetched:
    def test_all_of_it(self, download: Command, output: Path) -> None:
        answer = download()
        assert (answer.status, answer.err) == (0, "")
        assert set(outcomes(answer).values()) == {"downloaded"}
        assert set(files(output)) == {NAMES[artifact] for artifact in ALL}
        assert {row["path"] for row in answer.json} == {
            str(output / name) for name in files(output)
        }

    def test_it_says_which_scheme_it_found(self, download: Command) -> None:
        found = {row["kind"]: (row["scheme"], row["found_by"]) for row in download().json}
        assert found["job_config"] == ("prefix", "row")
        assert found["run_config"] == ("prefix", "key")
        assert found["run_logs"] == ("legacy", "listing")

    def test_people_get_a_table(self, artifacts: Command, output: Path) -> None:
        answer = artifacts(
            *("jobs", "uploads", "download", "--job-id", "12", "--output-dir", str(output))
        )
        header, *rows = answer.out.splitlines()
        assert header.split()[:4] == ["kind", "run", "id", "outcome"]
        assert [row.split()[2] for row in rows] == ["downloaded"] * len(ALL)

    @pytest.mark.parametrize(
        ("options", "kinds"),
        [
            ("--run-id 4", {"run_config", "run_results"}),
            ("--kind job_input", {"job_input"}),
            ("--run-id 5 --kind run_logs", {"run_logs"}),
        ],
    )
    def test_only_what_is_wanted(self, download: Command, options: str, kinds: set[str]) -> None:
        assert set(outcomes(download(*options.split()))) == kinds

    def test_the_second_time_there_is_nothing_to_fetch(self, download: Command) -> None:
        download()
        assert set(outcomes(download()).values()) == {"there already"}

    def test_one_of_no_bytes_is_downloaded(self, download: Command, shelf: Shelf) -> None:
        shelf.put(LOGS, b"")
        assert outcomes(download())["run_logs"] == "downloaded"
        assert outcomes(download())["run_logs"] == "there already"

    def test_other_files_stay_and_are_an_error(self, download: Command, output: Path) -> None:
        # Given
        output.mkdir()
        mine = output / "job_config.json"
        mine.write_bytes(b"mine")
        # When
        answer = download()
        # Then it names the file and the remedy, and the rest is there
        assert answer.status == 1
        assert outcomes(answer)["job_config"] == "kept, though it differs"
        assert answer.error == (
            f"artifacts: not downloaded: {mine} (kept; it is not job_config of job 12); "
            "give another --output-dir, or --force to replace"
        )
        assert mine.read_bytes() == b"mine"
        assert len(files(output)) == len(ALL)

    def test_two_jobs_in_one_directory_are_an_error(
        self, download: Command, shelf: Shelf, output: Path
    ) -> None:
        # Given job 12 in a directory
        shelf.put(Artifact(ArtifactKind.JOB_CONFIG, 13), b"config of 13")
        shelf.put(Artifact(ArtifactKind.JOB_INPUT, 13), b"input of 13")
        assert download().status == 0
        before = files(output)
        # When job 13 is downloaded there
        answer = download(job_id=13)
        # Then one line names what is missing of job 13
        assert answer.status == 1
        config, job_input = (output / name for name in ("job_config.json", "job_input.zip"))
        assert answer.error == (
            f"artifacts: not downloaded: {config} (kept; it is not job_config of job 13), "
            f"{job_input} (kept; it is not job_input of job 13); "
            "give another --output-dir, or --force to replace"
        )
        assert files(output) == before
        # And job 12 is still good
        assert download().status == 0

    @pytest.mark.parametrize("option", ["-f", "--force"])
    def test_or_give_way_when_told_to(self, download: Command, output: Path, option: str) -> None:
        output.mkdir()
        (output / "job_config.json").write_bytes(b"mine")
        assert outcomes(download(option))["job_config"] == "downloaded"
        assert files(output)["job_config.json"] == b"config"


class TestUnpacked:
    @pytest.mark.usefixtures("shelf")
    def test_zips_are_unpacked_beside_the_rest(self, download: Command, output: Path) -> None:
        answer = download("--extract")
        assert answer.status == 0
        got = files(output)
        assert got["job_input/deep/input.csv"] == b"input"
        assert got["OUT/run_4/RUN1/out.csv"] == b"1"
        assert _row(answer, "run_results")["path"] == str(output / "OUT/run_4")

    @pytest.mark.usefixtures("shelf")
    def test_what_is_there_under_a_name_stays_and_is_said(
        self, download: Command, output: Path
    ) -> None:
        (output / "OUT/run_4/RUN2").mkdir(parents=True)
        answer = download("--extract")
        assert _row(answer, "run_results")["kept"] == ["RUN2"]
        assert "OUT/run_4/RUN2/out.csv" not in files(output)

    def test_a_zip_that_would_do_harm_is_kept_as_it_is(
        self, download: Command, shelf: Shelf, output: Path
    ) -> None:
        shelf.put(INPUT, zip_of({"../../outside": b"harm"}))
        answer = download("--extract")
        assert answer.status == 1
        row = _row(answer, "job_input")
        assert (row["outcome"], row["path"]) == ("failed", str(output / "job_input.zip"))
        assert "outside" not in "".join(files(output.parent))
        assert outcomes(answer)["run_results"] == "downloaded"


class TestFailed:
    def test_the_others_are_had(self, download: Command, shelf: Shelf, output: Path) -> None:
        # Given one that is recorded, and gone
        shelf.client.delete_object(Bucket=shelf.bucket, Key=shelf.stored(RESULTS).object.key)
        # When
        answer = download()
        # Then
        assert answer.status == 1
        row = _row(answer, "run_results")
        assert (row["outcome"], row["path"]) == ("failed", None)
        assert row["error"] == "run_results of job 12 run 4: not in the store"
        assert len(files(output)) == len(ALL) - 1

    def test_an_archived_one_says_so(self, download: Command, shelf: Shelf) -> None:
        shelf.put(LOGS, b"logs", StorageClass="DEEP_ARCHIVE")
        answer = download("--kind", "run_logs")
        assert answer.status == 1
        error = _row(answer, "run_logs")["error"]
        assert "it is archived" in error
        assert (
            "`artifacts jobs uploads restore 12 --run-id 5 --kind run_logs --days 7 --wait`"
            in error
        )

    def test_a_run_that_sql_does_not_have_fails_nothing(
        self, download: Command, shelf: Shelf, output: Path
    ) -> None:
        # Given objects of a run that was deleted, and of one that is another job's now
        for run_id in (7, 99):
            key = f"jobs/12/2025/10/23/211500/run_{run_id}_config.json"
            shelf.client.put_object(Bucket=shelf.bucket, Key=key, Body=b"{}")
        # When
        answer = download()
        # Then they are reported, and the rest counts
        assert (answer.status, answer.err) == (0, "")
        of_run = {row["run_id"]: row for row in answer.json if row["kind"] == "run_config"}
        assert of_run[4]["outcome"] == "downloaded"
        assert (of_run[7]["outcome"], of_run[99]["outcome"]) == ("unknown_run", "unknown_run")
        assert of_run[7]["error"] == "run 7 is not a run of job 12"
        assert of_run[99]["error"] == "there is no run 99"
        assert len(files(output)) == len(ALL)
        # And asking for just that run is an error
        assert download("--run-id", "99").status == 1

    def test_there_is_nothing_of_that(self, download: Command) -> None:
        answer = download("--run-id", "5", "--kind", "run_config")
        assert answer.status == 1
        assert (
            answer.error
            == "artifacts: job 12: not in the store; see `artifacts jobs uploads list 12`"
        )

    def test_a_run_has_nothing_of_a_jobs_kind(self, download: Command) -> None:
        answer = download("--run-id", "5", "--kind", "job_config")
        assert answer.status == 2
        assert "job_config belongs to the job" in answer.err

    def test_a_directory_that_cannot_be_made_is_one_line(self, artifacts: Command) -> None:
        answer = artifacts(
            *("jobs", "uploads", "download", "--job-id", "12", "--output-dir", "/proc/nowhere")
        )
        assert answer.status == 1
        assert answer.error == "artifacts: /proc/nowhere: No such file or directory"

    def test_a_file_is_no_output_directory(self, artifacts: Command, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        answer = artifacts(
            *("jobs", "uploads", "download", "--job-id", "12"),
            *("--output-dir", str(tmp_path / "file")),
        )
        assert answer.status == 2
        assert "is not a directory" in answer.err

    @pytest.mark.parametrize("workspace", ["", "/nowhere"])
    def test_a_workspace_that_is_not_there_is_one_line(
        self, artifacts: Command, monkeypatch: pytest.MonkeyPatch, workspace: str
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_WORKSPACE", workspace)
        answer = artifacts("jobs", "uploads", "download", "--job-id", "12")
        assert answer.status == 1
        assert answer.error == (
            "artifacts: ARTIFACTS_WORKSPACE: the directory does not exist."
            " Create or mount it, or correct the path"
        )


@pytest.fixture(autouse=True)
def _filled(shelf: Shelf) -> None:
    """There is something to fetch, in every test."""
    del shelf


def _row(answer: Answer, kind: str) -> dict[str, Any]:
    (row,) = [row for row in answer.json if row["kind"] == kind]
    return dict(row)
