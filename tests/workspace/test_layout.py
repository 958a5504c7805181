from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from artifact_pipeline.domain.errors import (
    SourceInvalidError,
    SourceMissingError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.workspace import Workspace
from tests.workspace.trees import RESULTS, all_of, link, plant, unzipped

if TYPE_CHECKING:
    from artifact_pipeline.domain.ports.workspace import IWorkspace


def test_the_workspace_satisfies_the_port(workspace: Workspace) -> None:
    port: IWorkspace = workspace

    assert isinstance(port, Workspace)


@pytest.mark.parametrize(
    ("artifact", "place"),
    [
        (Artifact(ArtifactKind.JOB_CONFIG, 12), "job_config.json"),
        (Artifact(ArtifactKind.JOB_INPUT, 12), "job_input.zip"),
        (Artifact(ArtifactKind.RUN_CONFIG, 12, 4), "run_4_config.json"),
        (Artifact(ArtifactKind.RUN_LOGS, 12, 4), "run_4_logs.log"),
    ],
)
def test_each_file_has_its_place(
    workspace: Workspace, root: Path, artifact: Artifact, place: str
) -> None:
    plant(root / "job_12", {place: b"bytes"})

    assert workspace.path(artifact) == root / "job_12" / place
    assert all_of(workspace.source(artifact)) == b"bytes"


def test_results_are_zipped_from_their_run_directories_alone(
    workspace: Workspace, root: Path
) -> None:
    # Given: two RUN directories, and beside them what is no part of the results
    plant(
        root / "job_12/OUT/run_4",
        {
            "RUN1/a.txt": b"1",
            "RUN2/deep/b.txt": b"2",
            "notes/c.txt": b"no",
            "run3/d.txt": b"no",
            "RUN.log": b"no: a file",
        },
    )

    source = workspace.source(RESULTS)

    assert workspace.path(RESULTS) == root / "job_12/OUT/run_4"
    assert unzipped(all_of(source)) == {"RUN1/a.txt": b"1", "RUN2/deep/b.txt": b"2"}
    assert source.links_left_out == 0


def test_the_workspace_itself_may_be_reached_through_a_link(root: Path, tmp_path: Path) -> None:
    plant(root / "job_12/OUT/run_4", {"RUN1/a": b"1"})
    link(tmp_path / "mount", root)

    source = Workspace(tmp_path / "mount").source(RESULTS)

    assert unzipped(all_of(source)) == {"RUN1/a": b"1"}


def test_the_results_may_be_a_link_within_their_job(workspace: Workspace, root: Path) -> None:
    plant(root / "job_12/elsewhere", {"RUN1/a": b"1"})
    link(root / "job_12/OUT/run_4", "../elsewhere")

    assert unzipped(all_of(workspace.source(RESULTS))) == {"RUN1/a": b"1"}


@pytest.mark.parametrize("target", ["../../job_13/OUT/run_4", "/", "../../.."])
def test_results_of_another_place_are_refused(
    workspace: Workspace, root: Path, target: str
) -> None:
    plant(root / "job_13/OUT/run_4", {"RUN1/a": b"another job's"})
    link(root / "job_12/OUT/run_4", target)

    with pytest.raises(SourceInvalidError, match="run_results of job 12 run 4: outside"):
        workspace.source(RESULTS)


def test_a_job_directory_that_is_another_jobs_is_refused(workspace: Workspace, root: Path) -> None:
    plant(root / "job_13/OUT/run_4", {"RUN1/a": b"another job's"})
    link(root / "job_12", "job_13")

    with pytest.raises(SourceInvalidError):
        workspace.source(RESULTS)


def test_a_file_in_the_place_of_the_results_is_refused(workspace: Workspace, root: Path) -> None:
    plant(root / "job_12", {"OUT/run_4": b"a file"})

    with pytest.raises(SourceInvalidError, match="run_results of job 12 run 4: not a directory"):
        workspace.source(RESULTS)


def test_results_below_a_file_are_missing(workspace: Workspace, root: Path) -> None:
    plant(root / "job_12", {"OUT": b"a file"})

    with pytest.raises(SourceMissingError, match="run_results of job 12 run 4"):
        workspace.source(RESULTS)


def test_a_workspace_that_is_not_there_may_be_mounted_again(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceUnavailableError):
        Workspace(tmp_path / "none").source(RESULTS)


def test_an_empty_mount_point_may_be_mounted_again(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceUnavailableError):
        Workspace(tmp_path).source(RESULTS)
