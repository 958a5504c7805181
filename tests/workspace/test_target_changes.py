"""What happens to a partial file between any two steps of ours."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from artifact_pipeline.domain.errors import TargetBusyError, TargetExistsError
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.target import Target
from tests.contract.target_contract import CONTENT, PARTIAL, RANGE, THERE, fetch, finish, missing
from tests.workspace.trees import LOGS


class TestInterrupted:
    """A process may be killed between any two steps."""

    @pytest.fixture(params=["ftruncate", "fsync", "link", "unlink"])
    def step(self, request: pytest.FixtureRequest) -> str:
        return cast("str", request.param)

    def test_before_a_step_of_the_end(
        self, target: Target, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        # Given an attempt that fetched all, and was killed there
        with target.partial(THERE, RANGE) as partial:
            fetch(partial, *missing(partial))
            with monkeypatch.context() as patched:
                patched.setattr(os, step, _killed)
                with pytest.raises(_KilledError):
                    partial.finish(replace=False)
        # When the next one begins
        appeared = target.exists
        with target.partial(THERE, RANGE) as partial:
            fetch(partial, *missing(partial), content=CONTENT)
            # Then nothing touches the file that has appeared
            assert not appeared or b"".join(target.chunks()) == CONTENT
            partial.finish(replace=True)
        assert b"".join(target.chunks()) == CONTENT

    @pytest.mark.parametrize("step", ["ftruncate", "pwrite"])
    def test_before_the_partial_file_says_whose_it_is(
        self, target: Target, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(os, step, _killed)
            with pytest.raises(_KilledError), target.partial(THERE, RANGE):
                pytest.fail("not killed")
        with target.partial(THERE, RANGE) as partial:
            assert missing(partial) == [0, 1, 2, 3]

    def test_a_finished_file_under_both_names_is_not_written_to(
        self, target: Target, directory: Path
    ) -> None:
        # Given
        finish(target)
        os.link(directory / "run_4_logs.log", directory / PARTIAL)
        # When
        with target.partial(THERE, RANGE) as partial:
            partial.write(0, b"another")
        # Then
        assert b"".join(target.chunks()) == CONTENT

    def test_a_file_with_the_marks_of_a_partial_one_is_not_written_to(
        self, target: Target, directory: Path
    ) -> None:
        # Given a second name of what is a partial file in every other respect
        with target.partial(THERE, RANGE) as partial:
            fetch(partial, 0)
        os.link(directory / PARTIAL, directory / "other.log")
        before = (directory / "other.log").read_bytes()
        # When
        with target.partial(THERE, RANGE) as partial:
            assert missing(partial) == [0, 1, 2, 3]
            partial.write(0, b"another")
        # Then
        assert (directory / "other.log").read_bytes() == before


class _KilledError(BaseException):
    pass


def _killed(*_: object, **__: object) -> None:
    raise _KilledError


class TestRaces:
    def test_one_that_was_finished_before_the_lock_is_left_alone(
        self, target: Target, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given another process that finishes between our opening and our lock
        finishing = _before_the_first_lock(monkeypatch, lambda: finish(workspace.target(LOGS)))
        # When
        with finishing, target.partial(THERE, RANGE) as partial:
            partial.write(0, b"another")
            # Then ours is a new one
            assert missing(partial) == [0, 1, 2, 3]
        assert b"".join(target.chunks()) == CONTENT

    def test_one_that_appears_in_the_last_moment_is_kept(
        self, target: Target, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        fsync = os.fsync

        def appear(descriptor: int) -> None:
            (directory / "run_4_logs.log").write_bytes(b"theirs")
            fsync(descriptor)

        with target.partial(THERE, RANGE) as partial:
            fetch(partial, 0, 1, 2, 3)
            monkeypatch.setattr(os, "fsync", appear)
            # When / Then
            with pytest.raises(TargetExistsError):
                partial.finish(replace=False)
        assert b"".join(target.chunks()) == b"theirs"

    def test_a_partial_file_that_was_taken_away_does_not_appear(
        self, target: Target, directory: Path
    ) -> None:
        with target.partial(THERE, RANGE) as partial:
            fetch(partial, 0, 1, 2, 3)
            (directory / PARTIAL).unlink()
            (directory / PARTIAL).write_bytes(b"another")
            with pytest.raises(TargetBusyError):
                partial.finish(replace=True)
        assert not target.exists

    def test_one_that_always_vanishes_is_not_waited_for_for_ever(
        self, target: Target, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def vanish(*_: object) -> None:
            (directory / PARTIAL).unlink()

        monkeypatch.setattr("fcntl.flock", vanish)
        with pytest.raises(TargetBusyError), target.partial(THERE, RANGE):
            pytest.fail("it was never there")


@contextmanager
def _before_the_first_lock(monkeypatch: pytest.MonkeyPatch, action: Any) -> Iterator[None]:
    flock, actions = fcntl.flock, [action]

    def lock(descriptor: int, operation: int) -> None:
        if actions:
            actions.pop()()
        flock(descriptor, operation)

    with monkeypatch.context() as patched:
        patched.setattr("fcntl.flock", lock)
        yield
