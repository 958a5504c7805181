"""A RUN directory that a user names by itself."""

import os
from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import SourceChangedError, SourceInvalidError
from artifact_pipeline.worker.workspace.results_directory import zipped_results
from artifact_pipeline.worker.workspace.zip_stream import ZippedDirectory
from tests.workspace.trees import RESULTS, all_of, link, plant, unzipped


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One of the RUN directories of some results."""
    plant(tmp_path / "results", {"RUN4/a": b"1", "RUN4/deep/b": b"2", "RUN5/c": b"another's"})
    return tmp_path / "results/RUN4"


def zipped(run: Path) -> ZippedDirectory:
    return zipped_results(RESULTS, run)


def test_links_within_it_are_sent_as_what_they_lead_to(run: Path) -> None:
    link(run / "file", "deep/b")
    link(run / "directory", "deep")
    link(run / "deep/up", "../a")
    link(run / "absolute", run / "deep")
    assert unzipped(all_of(zipped(run))) == {
        "RUN4/a": b"1",
        "RUN4/absolute/b": b"2",
        "RUN4/absolute/up": b"1",
        "RUN4/deep/b": b"2",
        "RUN4/deep/up": b"1",
        "RUN4/directory/b": b"2",
        "RUN4/directory/up": b"1",
        "RUN4/file": b"2",
    }


@pytest.mark.parametrize("target", ["/etc/passwd", "../RUN5", "../RUN5/c", "..", "nothing", "."])
def test_links_that_lead_out_of_it_or_round_in_a_circle_are_left_out(
    run: Path, target: str
) -> None:
    link(run / "out", target)
    source = zipped(run)
    assert unzipped(all_of(source)) == {"RUN4/a": b"1", "RUN4/deep/b": b"2"}
    assert source.links_left_out == 1


def test_a_directory_without_files_is_listed(run: Path) -> None:
    plant(run, {"empty": None})
    assert "RUN4/empty/" in unzipped(all_of(zipped(run)))


def test_a_file_that_is_added_while_it_is_read_is_noticed(run: Path) -> None:
    source = zipped(run)
    plant(run, {"late": b"3"})
    with pytest.raises(SourceChangedError):
        all_of(source)


def test_its_own_name_must_be_one_that_a_zip_can_have(tmp_path: Path) -> None:
    run = tmp_path / os.fsdecode(b"RUN\xff")
    plant(run, {"a": b"1"})
    with pytest.raises(SourceInvalidError, match="a file name is not UTF-8"):
        zipped(run)


def test_many_files_are_no_files_through_links(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artifact_pipeline.worker.workspace.scan._MOST_THROUGH_LINKS", 1)
    plant(run, {str(number): b"1" for number in range(5)})
    assert len(unzipped(all_of(zipped(run)))) == 7
