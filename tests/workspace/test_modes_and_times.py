"""What a zip keeps of a file beside its bytes."""

import os
import stat
from pathlib import Path

import pytest

from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.extra_fields import mtime_ns_of, timestamp
from artifact_pipeline.worker.workspace.results_directory import zipped_results
from tests.workspace.extract_steps import ARCHIVE, INTO, RESULTS, extract
from tests.workspace.trees import all_of, plant

FILES = {"RUN1/tool.sh": b"#!/bin/sh\n", "RUN1/out.csv": b"day,ill\n1,2\n", "RUN2": None}
SECOND = 10**9
MOMENT = 1_700_000_000


@pytest.fixture
def results(tmp_path: Path) -> Path:
    results = Workspace(tmp_path).path(RESULTS)
    plant(results, FILES)
    return results


def unpacked(tmp_path: Path, content: bytes) -> Path:
    root = tmp_path / "elsewhere"
    (root / ARCHIVE.parent).mkdir(parents=True)
    (root / ARCHIVE).write_bytes(content)
    extract(root)
    return root / INTO


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_executable_bit_comes_out_again(tmp_path: Path, results: Path) -> None:
    (results / "RUN1/tool.sh").chmod(0o4711)
    into = unpacked(tmp_path, all_of(Workspace(tmp_path).source(RESULTS)))
    os.umask(umask := os.umask(0o022))
    assert mode(into / "RUN1/tool.sh") == 0o755 & ~umask
    assert mode(into / "RUN1/out.csv") == 0o644 & ~umask


def test_other_permissions_make_no_difference(tmp_path: Path, results: Path) -> None:
    first = all_of(Workspace(tmp_path).source(RESULTS))
    (results / "RUN1/tool.sh").chmod(0o4611)
    assert all_of(Workspace(tmp_path).source(RESULTS)) == first


def test_by_default_the_times_make_no_difference(tmp_path: Path, results: Path) -> None:
    first = all_of(Workspace(tmp_path).source(RESULTS))
    os.utime(results / "RUN1/out.csv", (MOMENT, MOMENT))
    assert all_of(Workspace(tmp_path).source(RESULTS)) == first


class TestKept:
    @pytest.fixture
    def workspace(self, tmp_path: Path, results: Path) -> Workspace:
        for name in ("tool.sh", "out.csv"):
            os.utime(results / "RUN1" / name, ns=(MOMENT * SECOND + 5, MOMENT * SECOND + 5))
        return Workspace(tmp_path, keeps_times=True)

    def test_they_come_out_again(self, tmp_path: Path, workspace: Workspace) -> None:
        source = workspace.source(RESULTS)
        content = all_of(source)
        assert len(content) <= source.largest_size
        into = unpacked(tmp_path, content)
        assert (into / "RUN1/out.csv").stat().st_mtime_ns == MOMENT * SECOND
        assert (into / "RUN1/out.csv").read_bytes() == FILES["RUN1/out.csv"]

    def test_the_same_files_with_the_same_times_give_the_same_zip(
        self, workspace: Workspace, results: Path
    ) -> None:
        first = all_of(workspace.source(RESULTS))
        assert all_of(workspace.source(RESULTS)) == first
        assert all_of(zipped_results(RESULTS, results, keeps_times=True)) == first
        os.utime(results / "RUN1/out.csv", (MOMENT + 1, MOMENT + 1))
        assert all_of(workspace.source(RESULTS)) != first

    @pytest.mark.parametrize("seconds", [-1, 2**31])
    def test_a_time_that_the_field_cannot_hold_is_left_out(
        self, tmp_path: Path, workspace: Workspace, results: Path, seconds: int
    ) -> None:
        os.utime(results / "RUN1/out.csv", (seconds, seconds))
        into = unpacked(tmp_path, all_of(workspace.source(RESULTS)))
        assert (into / "RUN1/out.csv").stat().st_mtime > MOMENT


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (b"", None),
        (timestamp(MOMENT * SECOND), MOMENT * SECOND),
        (b"\x01\x00\x02\x00ab" + timestamp(SECOND), SECOND),
        (b"UT\x05\x00\x02" + bytes(4), None),
        (b"UT\x05\x00\x01ab", None),
        (b"UT\x01\x00\x01", None),
    ],
    ids=["none", "one", "behind another", "another time", "cut off", "too short"],
)
def test_the_field_of_a_time(extra: bytes, expected: int | None) -> None:
    assert mtime_ns_of(extra) == expected
