import os
import socket
from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import SourceInvalidError, SourceMissingError
from artifact_pipeline.worker.workspace import Workspace
from tests.workspace.trees import RESULTS, all_of, link, plant, unzipped

SECRET = b"another job's secret"


@pytest.fixture(autouse=True)
def _another_job(root: Path) -> None:
    plant(root, {"job_13/OUT/run_4/RUN1/secret": SECRET, "job_12/job_config.json": SECRET})


def test_links_within_the_results_are_sent_as_what_they_lead_to(
    workspace: Workspace, results: Path
) -> None:
    plant(results, {"RUN1/a": b"1", "shared/deep/b": b"2"})
    link(results / "RUN1/file", "a")
    link(results / "RUN1/directory", "../shared")
    link(results / "RUN1/absolute", results / "shared/deep")
    link(results / "RUN1/link-to-link", "file")
    link(results / "RUN2", "shared/deep")

    source = workspace.source(RESULTS)

    assert unzipped(all_of(source)) == {
        "RUN1/a": b"1",
        "RUN1/absolute/b": b"2",
        "RUN1/directory/deep/b": b"2",
        "RUN1/file": b"1",
        "RUN1/link-to-link": b"1",
        "RUN2/b": b"2",
    }
    assert source.links_left_out == 0


@pytest.mark.parametrize(
    "target",
    [
        "/etc/passwd",
        "/etc",
        "../../../../job_13/OUT/run_4/RUN1",
        "../../../../job_13/OUT/run_4/RUN1/secret",
        "../../../job_config.json",
        "../../run_5",
        "../../run_44",
        "../../../OUT",
        "nothing",
        "/nothing",
        "a/below-a-file",
        "leads-nowhere",
        "leads-nowhere/deeper",
        "x" * 300,
    ],
)
def test_links_that_lead_elsewhere_are_left_out(
    workspace: Workspace, results: Path, target: str
) -> None:
    plant(results.parent, {"run_4/RUN1/a": b"1", "run_5/RUN1/b": SECRET, "run_44/c": SECRET})
    link(results / "RUN1/leads-nowhere", target)

    source = workspace.source(RESULTS)

    assert unzipped(all_of(source)) == {"RUN1/a": b"1"}
    assert source.links_left_out == 1


def test_a_run_directory_that_leads_outside_is_left_out(
    workspace: Workspace, results: Path
) -> None:
    plant(results, {"RUN1/a": b"1"})
    link(results / "RUN2", "../../../job_13/OUT/run_4/RUN1")

    source = workspace.source(RESULTS)

    assert unzipped(all_of(source)) == {"RUN1/a": b"1"}
    assert source.links_left_out == 1


def test_results_that_only_lead_outside_are_missing(workspace: Workspace, results: Path) -> None:
    link(results / "RUN1", "../../../job_13/OUT/run_4/RUN1")

    with pytest.raises(SourceMissingError, match="no RUN directory"):
        workspace.source(RESULTS)


@pytest.mark.parametrize("target", [".", "..", "../..", "../../RUN1"])
def test_a_link_to_a_directory_above_it_is_left_out(
    workspace: Workspace, results: Path, target: str
) -> None:
    plant(results, {"RUN1/deep/a": b"1"})
    link(results / "RUN1/deep/again", target)

    source = workspace.source(RESULTS)

    assert unzipped(all_of(source)) == {"RUN1/deep/a": b"1"}
    assert source.links_left_out == 1


def test_two_links_that_lead_to_each_other_end(workspace: Workspace, results: Path) -> None:
    plant(results, {"RUN1/a": b"1", "RUN2/b": b"2"})
    link(results / "RUN1/other", "../RUN2")
    link(results / "RUN2/other", "../RUN1")

    source = workspace.source(RESULTS)

    assert unzipped(all_of(source)) == {
        "RUN1/a": b"1",
        "RUN1/other/b": b"2",
        "RUN2/b": b"2",
        "RUN2/other/a": b"1",
    }
    assert source.links_left_out == 2


def test_links_that_multiply_files_without_end_are_refused(
    workspace: Workspace, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artifact_pipeline.worker.workspace.scan._MOST_THROUGH_LINKS", 1000)
    plant(results / "d30", {"file": b"1"})
    for n in range(30):
        link(results / f"d{n}/one", results / f"d{n + 1}")
        link(results / f"d{n}/two", results / f"d{n + 1}")
    link(results / "RUN1", "d0")

    with pytest.raises(SourceInvalidError, match="run_results of job 12 run 4: links repeat more"):
        workspace.source(RESULTS)


def test_a_directory_of_nothing_but_bad_links_counts_as_empty(
    workspace: Workspace, results: Path
) -> None:
    plant(results, {"RUN1/a": b"1"})
    link(results / "RUN1/sub/out", "/etc")

    assert unzipped(all_of(workspace.source(RESULTS))) == {"RUN1/a": b"1", "RUN1/sub/": b""}


def test_special_files_are_left_out_and_do_not_block(
    workspace: Workspace, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(results, {"RUN1/a": b"1"})
    os.mkfifo(results / "RUN1/fifo")
    link(results / "RUN1/link-to-fifo", "fifo")
    monkeypatch.chdir(results / "RUN1")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        source = workspace.source(RESULTS)

    assert unzipped(all_of(source)) == {"RUN1/a": b"1"}
    assert source.links_left_out == 3
