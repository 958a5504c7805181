"""Paths that options take."""

from pathlib import Path

import pytest

from tests.cli.commands import Command

OPTIONS = [
    ("dev", "--data"),
    ("demo", "--results-dir"),
    ("audit", "--report"),
    ("audit", "--inventory"),
    ("batch", "report", "1", "--output"),
    ("orphans", "delete", "--report"),
    ("jobs", "uploads", "download", "12", "--output-dir"),
]


@pytest.mark.parametrize("arguments", OPTIONS, ids=" ".join)
def test_an_empty_path_is_not_the_current_directory(
    artifacts: Command, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "the path is empty" in artifacts(*arguments, "").refusal
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_directory_and_a_directory_no_file(artifacts: Command, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert "is not a directory" in artifacts("dev", "--data", str(file)).refusal
    assert "is a directory" in artifacts("audit", "--report", str(tmp_path)).refusal
    assert "does not exist" in artifacts("demo", "--results-dir", "nowhere").refusal
