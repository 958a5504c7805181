"""Where `artifacts jobs uploads download` puts its files."""

import zipfile
from functools import partial
from pathlib import Path

import pytest

from tests.cli.commands import Command
from tests.cli.shelf import ALL, NAMES, RESULT_FILES, Shelf, files, stock
from tests.workspace.trees import link

pytestmark = pytest.mark.processes


@pytest.fixture
def shelf(shelf: Shelf) -> Shelf:
    """With everything of job 12."""
    stock(shelf)
    return shelf


@pytest.mark.usefixtures("shelf")
class TestDirectory:
    """Without `--output-dir`."""

    @pytest.fixture
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The current directory."""
        (here := tmp_path / "here").mkdir()
        monkeypatch.chdir(here)
        return here

    @pytest.fixture
    def download(self, artifacts: Command) -> Command:
        return partial(artifacts, "jobs", "uploads", "download", "--job-id", "12", "--json")

    def test_it_is_the_jobs_in_the_workspace(
        self, download: Command, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (workspace := tmp_path / "workspace").mkdir()
        monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(workspace))
        answer = download("--extract")
        assert (answer.status, answer.err) == (0, "")
        in_job = {f"job_12/{NAMES[artifact]}" for artifact in ALL}
        unpacked = {f"job_12/OUT/run_4/{name}" for name in RESULT_FILES}
        assert set(files(workspace)) == in_job | unpacked | {"job_12/job_input/deep/input.csv"}
        assert files(here) == {}

    def test_without_a_workspace_it_is_the_jobs_in_the_current_directory(
        self, download: Command, here: Path
    ) -> None:
        answer = download()
        assert answer.status == 0
        assert set(files(here)) == {f"job_12/{NAMES[artifact]}" for artifact in ALL}
        assert {row["path"] for row in answer.json} == set(files(here))
        # And it says so, beside the answer
        assert answer.error == (
            "downloading into ./job_12 (neither --output-dir nor ARTIFACTS_WORKSPACE is set)"
        )

    @pytest.mark.parametrize("place", [".", "new/deeper", "../here", "link"])
    def test_one_that_is_named_is_taken_as_it_is(
        self, download: Command, here: Path, tmp_path: Path, place: str
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        link(here / "link", tmp_path / "elsewhere")
        answer = download("--output-dir", place)
        assert (answer.status, answer.err) == (0, "")
        assert set(files(here / place)) == {NAMES[artifact] for artifact in ALL}

    def test_the_platforms_runner_finds_its_files(self, download: Command, here: Path) -> None:
        # Given a runner that fetches a job, and starts the simulation in that directory
        assert download("--output-dir", "work").status == 0
        # When, Then
        work = here / "work"
        assert (work / "job_config.json").read_bytes() == b"config"
        assert (work / "run_4_config.json").read_bytes() == b"run config"
        with zipfile.ZipFile(work / "job_input.zip") as archive:
            assert archive.namelist() == ["deep/input.csv"]
