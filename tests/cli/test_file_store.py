"""The commands on a store of files: ARTIFACTS_STORE=file://..."""

import json
import re
import subprocess
import sys
from os import utime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from tests.cli.commands import Command
from tests.cli.file_shelf import OLD_KEY
from tests.cli.shelf import CONFIG, INPUT, LOGS, NAMES, RESULT_FILES, RESULTS, key_of
from tests.file_store.steps import Shelf

ROOT = Path(__file__).parents[2]


@pytest.mark.processes
def test_no_process_loads_what_only_s3_needs(
    files: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Given
    directory = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(directory))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # When a worker, a producer and commands are at work
    ended = subprocess.run(
        [sys.executable, "-m", "tests.cli.without_s3"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    # Then
    assert ended.returncode == 0, ended.stderr
    said = json.loads((directory / "said.json").read_text())
    assert said["done"] == {"upload": "done", "listed": 4}
    assert set(said["statuses"].values()) == {0}, ended.stderr
    assert not re.search("S3|bucket", ended.stdout + ended.stderr), ended
    assert said["loaded"] == []
    assert files.body(key_of(INPUT)) is not None


def of_kind(rows: list[dict[str, str]]) -> dict[str, str]:
    return {row["kind"]: row["location"] for row in rows if row["location"]}


class TestStore:
    @pytest.fixture
    def root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        root = tmp_path / "my store"
        monkeypatch.setenv("ARTIFACTS_STORE", f"file://{tmp_path}/my%20store")
        return root

    def test_a_directory_becomes_a_store_once(self, artifacts: Command, root: Path) -> None:
        root.mkdir()
        assert artifacts("store", "init").out == f"{root} is a store\n"
        assert artifacts("store", "init").out == f"{root} was a store already\n"
        assert (root / ".artifacts").is_dir()

    def test_a_directory_that_is_not_there_is_not_made(
        self, artifacts: Command, root: Path
    ) -> None:
        answer = artifacts("store", "init")
        assert answer.status == 1
        assert f"ARTIFACTS_STORE=file://{root.parent}/my%20store: No such file" in answer.error
        assert not root.exists()

    def test_it_needs_its_setting(
        self, artifacts: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_BUCKET", "a-bucket")
        answer = artifacts("store", "init")
        assert (answer.status, answer.error) == (
            1,
            "artifacts: ARTIFACTS_STORE: not set. Example: file:///srv/artifacts",
        )


class TestHealth:
    def test_a_store_is_ready(self, artifacts: Command, files: Shelf) -> None:
        answer = artifacts("health", "ready", "--only", "bucket")
        assert (answer.status, answer.out) == (0, "store answers\n")
        assert list(files.store.open_uploads("")) == []

    def test_a_directory_that_is_not_mounted_is_not_ready(
        self, artifacts: Command, files: Shelf, tmp_path: Path
    ) -> None:
        # Given what is under the mount point
        files.root.path.rename(tmp_path / "unmounted")
        files.root.path.mkdir()
        # When
        answer = artifacts("health", "ready", "--only", "bucket")
        # Then
        assert answer.status == 1
        assert f"ARTIFACTS_STORE={files.root.url}: " in answer.error
        assert "Mount it, or run `artifacts store init` once" in answer.error
        assert list(files.root.path.iterdir()) == []

    def test_the_doctor_examines_it(self, artifacts: Command, files: Shelf) -> None:
        answer = artifacts("doctor", "--only", "bucket", "--json")
        assert [each["check"] for each in answer.json] == ["store", "store space"]
        assert answer.json[0]["severity"] == "ok"
        assert f"{files.root.path} is writable, on the file system" in answer.json[0]["what"]

    def test_the_doctor_finds_a_store_that_is_away(
        self, artifacts: Command, files: Shelf, tmp_path: Path
    ) -> None:
        files.root.path.rename(tmp_path / "unmounted")
        answer = artifacts("doctor", "--only", "bucket", "--json")
        (found,) = answer.json
        assert (answer.status, found["check"], found["severity"]) == (2, "store", "error")
        assert "No such file or directory" in found["what"]
        assert "findmnt" in found["fix"]


class TestUploads:
    @pytest.mark.usefixtures("files")
    def test_each_is_verified(self, artifacts: Command) -> None:
        # Given results as recorded, a config without a row, and logs in an old path
        verify = ("jobs", "uploads", "verify", "12", "--json")
        # When
        answer = artifacts(*verify, "--deep")
        # Then
        assert answer.status == 1
        assert {row["kind"]: row["outcome"] for row in answer.json} == {
            "job_config": "unrecorded",
            "run_results": "ok",
            "run_logs": "misplaced",
        }

    def test_only_a_deep_look_finds_a_rotten_byte(self, artifacts: Command, files: Shelf) -> None:
        # Given a byte that is another one, while size and time of the file are the same
        path = files.root.path / key_of(RESULTS)
        seen, content = path.stat(), path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        # When, Then
        verify = ("jobs", "uploads", "verify", "12", "--json")
        for options, outcome in (((), "ok"), (("--deep",), "changed")):
            rows = artifacts(*verify, *options).json
            assert {row["kind"]: row["outcome"] for row in rows}["run_results"] == outcome

    def test_all_is_listed(self, artifacts: Command, files: Shelf) -> None:
        answer = artifacts("jobs", "uploads", "list", "12", "--json")
        assert of_kind(answer.json) == {
            "job_config": files.store.location(key_of(CONFIG)).url,
            "run_results": files.store.location(key_of(RESULTS)).url,
            "run_logs": files.store.location(OLD_KEY).url,
        }

    def test_they_are_downloaded(self, artifacts: Command, files: Shelf, tmp_path: Path) -> None:
        answer = artifacts("jobs", "uploads", "download", "12", "--output-dir", str(tmp_path / "o"))
        assert answer.status == 0, answer
        downloaded = {path.name: path.read_bytes() for path in (tmp_path / "o").rglob("*.*")}
        assert downloaded == {
            NAMES[CONFIG]: b"{}",
            NAMES[RESULTS]: files.body(key_of(RESULTS)),
            NAMES[LOGS]: b"logs",
        }

    def test_one_file_of_a_zip_is_downloaded(
        self, artifacts: Command, files: Shelf, tmp_path: Path
    ) -> None:
        listed = artifacts("jobs", "uploads", "list", "12", "--members", "--json")
        assert {each["member"] for each in listed.json} >= RESULT_FILES.keys()
        arguments = ("--run-id", "4", "--member", "RUN1/out.csv", "--output-dir", str(tmp_path))
        answer = artifacts("jobs", "uploads", "download", "12", *arguments)
        assert answer.status == 0, answer
        (path,) = tmp_path.rglob("out.csv")
        assert path.read_bytes() == RESULT_FILES["RUN1/out.csv"]
        assert files

    def test_one_is_written_to_stdout(self, artifacts: Command, files: Shelf) -> None:
        answer = artifacts("jobs", "uploads", "cat", "12", "--kind", "job_config")
        assert (answer.status, answer.out, answer.err) == (0, "{}", "")
        assert files

    def test_an_old_one_is_relocated_and_its_old_copy_deleted(
        self, artifacts: Command, files: Shelf, database: Engine
    ) -> None:
        # When
        answer = artifacts("jobs", "uploads", "relocate", "12", "--json")
        # Then
        assert answer.status == 0, answer
        row = SqlArtifacts(database).find(LOGS)
        assert row is not None
        assert row.object.key == key_of(LOGS)
        assert files.body(key_of(LOGS)) == b"logs"
        # When
        answer = artifacts("jobs", "uploads", "relocate", "12", "--delete-old", "--only-database")
        # Then
        assert files.body(OLD_KEY) is None, answer
        assert not (files.root.path / OLD_KEY).parent.exists()

    def test_a_url_is_refused_in_one_line(self, artifacts: Command, files: Shelf) -> None:
        answer = artifacts(*("jobs", "uploads", "url", "12", "--kind", "job_config"))
        assert answer.status == 1
        assert f"ARTIFACTS_STORE={files.root.url} has no download URLs" in answer.error

    def test_an_archive_is_refused(self, artifacts: Command, files: Shelf) -> None:
        answer = artifacts("jobs", "uploads", "archive", "12", "--json")
        assert answer.status == 1
        (row,) = answer.json
        assert "has no storage class GLACIER" in row["error"]
        assert files

    @pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=["restore", "dry run"])
    def test_a_restore_is_refused(
        self, artifacts: Command, files: Shelf, more: tuple[str, ...]
    ) -> None:
        del files
        answer = artifacts("jobs", "uploads", "restore", "12", "--days", "3", *more)
        assert answer.status == 1
        assert "ARTIFACTS_STORE is a directory, which has no archive tiers" in answer.error

    def test_a_dry_run_of_an_archive_is_refused(self, artifacts: Command, files: Shelf) -> None:
        answer = artifacts("jobs", "uploads", "archive", "12", "--dry-run")
        assert answer.status == 1
        assert "ARTIFACTS_STORE is a directory, which has no archive tiers" in answer.error
        assert files

    def test_the_job_shows_what_is_recorded(self, artifacts: Command, files: Shelf) -> None:
        answer = artifacts("jobs", "info", "12", "--json")
        assert [each["key"] for each in answer.json["artifacts"]] == [key_of(RESULTS)]
        assert files


def test_a_job_is_deleted(artifacts: Command, files: Shelf) -> None:
    # When
    answer = artifacts("jobs", "uploads", "delete", "12", "--only-database", "--yes", "--json")
    # Then
    assert (answer.status, len(answer.json)) == (0, 3)
    assert [*files.reader.list("")] == []
    assert artifacts("jobs", "uploads", "list", "12", "--json").json == []
