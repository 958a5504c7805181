"""`artifacts jobs uploads download --extract`: the names in zips of others."""

import io
import zipfile
from pathlib import Path

import pytest

from tests.cli.commands import Answer, Command
from tests.cli.shelf import INPUT, Shelf, files, zip_of


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
        (("--extract", "--names", "klingon"), "'klingon' is no encoding of file names"),
        (("--names", "cp850"), "--names cp850 is for --extract: give that too"),
    ],
)
def test_names_that_are_wrong_use(download: Command, options: tuple[str, ...], said: str) -> None:
    assert said in download(*options).refusal
