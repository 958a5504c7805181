"""`--members` and `--member`: single files of the zips in the bucket."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.workspace import Workspace, members
from artifact_pipeline.worker.workspace.naming import Place
from artifact_pipeline.worker.workspace.partial_file import look
from artifact_pipeline.worker.workspace.unpacked_tree import UnpackedTree
from tests.cli.commands import Answer, Command
from tests.cli.shelf import INPUT, RESULT_FILES, RESULTS, Shelf, files, stock, zip_of
from tests.faults.s3_proxy import FaultyS3

pytestmark = pytest.mark.processes

NOISE = os.urandom(3 * 2**20)


@pytest.fixture
def stocked(shelf: Shelf) -> Shelf:
    """With everything of job 12."""
    stock(shelf)
    return shelf


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def download(artifacts: Command, output: Path) -> Command:
    def run(*options: str) -> Answer:
        return artifacts(
            *("jobs", "uploads", "download", "12", "--output-dir", str(output), "--json"),
            *options,
        )

    return run


@pytest.fixture
def s3(ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    with FaultyS3(ministack.port) as s3:
        monkeypatch.setenv("ARTIFACTS_S3_ENDPOINT_URL", s3.url)
        yield s3


@pytest.mark.usefixtures("stocked")
class TestList:
    def test_what_is_inside_the_zips(self, artifacts: Command) -> None:
        rows = artifacts("jobs", "uploads", "list", "12", "--members", "--json").json
        found = {(row["kind"], row["run_id"], row["member"]): row["size"] for row in rows}
        assert found == {
            ("job_input", None, "deep/input.csv"): 5,
            ("run_results", 4, "RUN1/out.csv"): 1,
            ("run_results", 4, "RUN2/out.csv"): 1,
        }

    def test_only_of_one_run_as_a_table(self, artifacts: Command) -> None:
        out = artifacts("jobs", "uploads", "list", "12", "--members", "--run-id", "4").out
        assert [line.split()[2] for line in out.splitlines()[1:]] == sorted(RESULT_FILES)

    def test_a_broken_zip_does_not_hide_the_others(self, artifacts: Command, shelf: Shelf) -> None:
        shelf.put(INPUT, b"no zip")
        answer = artifacts("jobs", "uploads", "list", "12", "--members", "--json")
        assert answer.status == 1
        assert answer.error == "artifacts: job_input of job 12: not a zip archive"
        errors = {(row["kind"], row["member"]): row["error"] for row in answer.json}
        assert errors.pop(("job_input", None)) == "job_input of job 12: not a zip archive"
        assert errors == {("run_results", name): None for name in RESULT_FILES}

    def test_the_list_itself_can_be_narrowed(self, artifacts: Command) -> None:
        rows = artifacts("jobs", "uploads", "list", "12", "--run-id", "4", "--json").json
        assert [row["kind"] for row in rows] == ["run_config", "run_results"]


@pytest.mark.usefixtures("stocked")
class TestDownload:
    def test_in_the_workspace_no_upload_takes_it_for_all_results(
        self, artifacts: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a workspace without the results
        share = tmp_path / "share"
        (share / "job_12").mkdir(parents=True)
        monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(share))
        # When
        answer = artifacts("jobs", "uploads", "download", "12", "--member", "RUN*")
        # Then
        assert answer.status == 0
        assert set(files(share)) == {f"job_12/run_4_results/{name}" for name in RESULT_FILES}
        assert not Workspace(share).has(RESULTS)

    def test_only_the_named_file_is_there(self, download: Command, output: Path) -> None:
        answer = download("--member", "RUN1/out.csv", "--run-id", "4")
        assert (answer.status, answer.err) == (0, "")
        assert answer.json == [
            {
                "kind": "run_results",
                "run_id": 4,
                "member": "RUN1/out.csv",
                "outcome": "downloaded",
                "size": 1,
                "path": str(output / "run_4_results/RUN1/out.csv"),
                "error": None,
            }
        ]
        assert files(output) == {"run_4_results/RUN1/out.csv": b"1"}

    def test_patterns_match_in_every_zip(self, download: Command, output: Path) -> None:
        answer = download("--member", "RUN2/*", "--member", "*input.csv")
        assert answer.status == 0
        assert files(output) == {
            "run_4_results/RUN2/out.csv": b"2",
            "job_input/deep/input.csv": b"input",
        }

    def test_what_is_there_already_is_not_fetched(
        self, download: Command, s3: FaultyS3, output: Path
    ) -> None:
        download("--member", "RUN?/out.csv", "--run-id", "4")
        (output / "run_4_results/RUN2/out.csv").write_bytes(b"mine")
        answer = download("--member", "RUN?/out.csv", "--run-id", "4")
        assert [row["outcome"] for row in answer.json] == [
            "there already",
            "kept, though it differs",
        ]
        assert answer.status == 1
        assert answer.error.startswith(
            f"artifacts: not downloaded: {output}/run_4_results/RUN2/out.csv"
        )
        assert download("--member", "RUN2/*", "--run-id", "4", "-f").status == 0
        assert files(output)["run_4_results/RUN2/out.csv"] == b"2"
        assert s3.counts["GetObject"] == 3

    def test_an_awkward_place_does_not_block_the_others(
        self, download: Command, output: Path
    ) -> None:
        # Given a file where one member's directory would be
        (output / "run_4_results").mkdir(parents=True)
        (output / "run_4_results/RUN1").write_bytes(b"mine")
        # When
        answer = download("--member", "RUN?/out.csv", "--run-id", "4")
        # Then
        assert answer.status == 1
        rows = {row["member"]: row for row in answer.json}
        assert "something else is at its target" in rows["RUN1/out.csv"]["error"]
        assert rows["RUN2/out.csv"]["outcome"] == "downloaded"

    def test_a_name_that_no_zip_has(self, download: Command, output: Path) -> None:
        answer = download("--member", "RUN9/x", "--member", "RUN1/*", "--run-id", "4")
        assert answer.status == 1
        assert answer.error == (
            "artifacts: --member RUN9/x: no such file in the zips of job 12; "
            "see artifacts jobs uploads list 12 --members"
        )
        assert set(files(output)) == {"run_4_results/RUN1/out.csv"}

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--extract",), "--member unpacks these files: leave --extract out"),
            (("--kind", "job_config"), "job_config is not a zip: give --kind run_results or "),
        ],
    )
    def test_wrong_use(self, download: Command, options: tuple[str, ...], said: str) -> None:
        assert said in download("--member", "x", *options).refusal


@pytest.mark.parametrize("existing", [None, b"mine"])
def test_of_names_that_the_file_system_folds_the_first_stays(
    download: Command,
    shelf: Shelf,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    existing: bytes | None,
) -> None:
    # Given a directory whose names have no case
    shelf.record(RESULTS, zip_of({"RUN1/A.csv": b"1", "RUN1/a.csv": b"22"}))
    folds_names(monkeypatch)
    if existing is not None:
        (output / "run_4_results/RUN1").mkdir(parents=True)
        (output / "run_4_results/RUN1/a.csv").write_bytes(existing)
    # When
    answer = download("--member", "RUN1/*", "--run-id", "4", "--force")
    # Then
    assert answer.status == 1
    assert [row["outcome"] for row in answer.json] == ["downloaded", "failed"]
    assert files(output) == {"run_4_results/RUN1/a.csv": b"1"}


def folds_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have one name for those that differ by case, as Samba and macOS have."""
    create = UnpackedTree.create

    def create_folded(tree: UnpackedTree, parts: tuple[str, ...], mode: int = 0o644) -> int:
        return create(tree, (*parts[:-1], parts[-1].lower()), mode)

    monkeypatch.setattr(UnpackedTree, "create", create_folded)
    monkeypatch.setattr(members, "look", lambda name, where: look(name.lower(), where))
    monkeypatch.setattr(members, "Place", lambda name, where: Place(name.lower(), where))


def test_little_of_a_large_zip_is_fetched(
    download: Command, shelf: Shelf, s3: FaultyS3, output: Path
) -> None:
    # Given
    large = zip_of({"RUN1/before": NOISE, "RUN1/out.csv": b"1", "RUN1/behind": NOISE})
    shelf.record(RESULTS, large)
    # When
    named = ("--run-id", "4", "--kind", "run_results")
    assert download("--member", "RUN1/out.csv", *named).status == 0
    # Then: the end of the zip, and the file
    assert files(output) == {"run_4_results/RUN1/out.csv": b"1"}
    assert dict(s3.counts) == {"GetObject": 2}
