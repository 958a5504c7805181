"""`artifacts jobs uploads download --extract`: the names in zips of others."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Answer, Command
from tests.cli.file_sizes import files_up_to
from tests.cli.shelf import INPUT, LOGS, RUN_CONFIG, Shelf, files, zip_of

pytestmark = pytest.mark.processes


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def download(artifacts: Command, shelf: Shelf, output: Path) -> Command:
    del shelf

    def run(*options: str) -> Answer:
        return artifacts(
            *("jobs", "uploads", "download", "12", "--output-dir", str(output), "--json"),
            *options,
        )

    return run


def in_cp850(name: str) -> bytes:
    """Return a zip with one file, whose name is in cp850 and does not say so."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("?" * len(name), b"1")
    return content.getvalue().replace(b"?" * len(name), name.encode("cp850"))


def test_the_encoding_of_names_can_be_given(download: Command, shelf: Shelf, output: Path) -> None:
    shelf.put(INPUT, in_cp850("Ørsted.csv"))
    assert download("--extract", "--names", "cp850").status == 0
    assert files(output)["job_input/Ørsted.csv"] == b"1"


def test_one_bad_name_is_one_row_and_names_itself(download: Command, shelf: Shelf) -> None:
    shelf.put(INPUT, zip_of({**{f"{n}.csv": b"1" for n in range(300)}, "../x\n.csv": b"1"}))
    answer = download("--extract")
    (row,) = answer.json
    assert (answer.status, row["outcome"]) == (1, "failed")
    assert row["error"] == (
        "job_input of job 12: entry 301: the path leads elsewhere: '../x\\n.csv'"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--extract", "--names", "klingon"), "'klingon' is not an encoding of file names"),
        (("--names", "cp850"), "--names cp850 is for --extract or --member: give that"),
    ],
)
def test_names_that_are_wrong_use(download: Command, options: tuple[str, ...], said: str) -> None:
    assert said in download(*options).refusal


@pytest.fixture
def one_mebibyte() -> Iterator[None]:
    """The largest file that the system lets this process write, as on a small file system."""
    with files_up_to(2**20):
        yield


@pytest.mark.usefixtures("one_mebibyte")
def test_a_file_that_is_too_large_is_one_row_and_the_rest_is_fetched(
    download: Command, shelf: Shelf, output: Path
) -> None:
    # Given a file, and one in a zip, that are larger than the file system allows
    shelf.put(LOGS, bytes(2**20 + 1))
    shelf.put(INPUT, zip_of({"zeros": bytes(2**20 + 1)}, zipfile.ZIP_DEFLATED))
    shelf.put(RUN_CONFIG, b"run config")
    # When
    answer = download("--extract")
    # Then
    errors = {row["kind"]: row["error"] for row in answer.json}
    assert (answer.status, answer.err) == (1, "")
    assert errors["run_logs"] == (
        "run_logs of job 12 run 5: File too large: the target's file system cannot hold it"
    )
    assert errors["job_input"] == (
        "job_input of job 12: the target's file system cannot hold entry 1: File too large: 'zeros'"
    )
    assert errors["run_config"] is None
    assert files(output)["run_4_config.json"] == b"run config"
