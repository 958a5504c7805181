"""The thread that records bare messages."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event, Lock, Semaphore
from typing import Any

import pytest

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.receipt import BareRequest, bare_request
from artifact_pipeline.tasks.routing import RECORDED_HEADER
from artifact_pipeline.worker.messages.receipt import Recorder

HEADERS = {"task": "artifacts.upload_job_config", "id": "an id"}
REQUEST = BareRequest(
    request_id="an id",
    artifact=Artifact(ArtifactKind.JOB_CONFIG, 12),
    direction=Direction.UPLOAD,
)


class Loop:
    """A consumer with a hub, whose callbacks run at once."""

    def __init__(self) -> None:
        self.hub = self
        self.called = Event()

    def call_soon(self, callback: Callable[[], None]) -> None:
        callback()
        self.called.set()


def is_answered(write: Callable[[Sequence[BareRequest]], None]) -> bool:
    """Whether the main loop goes on with the message after the write."""
    went_on = Event()
    loop = Loop()
    recorder = Recorder(write)
    recorder.listens(loop)
    assert recorder.record(REQUEST, went_on.set)
    assert loop.called.wait(10)
    return went_on.is_set()


def test_a_request_is_written_and_answered() -> None:
    written: list[BareRequest] = []
    assert is_answered(written.extend)
    assert written == [REQUEST]


@pytest.mark.parametrize("error", [SqlUnavailableError("away"), RuntimeError("a bug")])
def test_a_write_that_fails_is_answered_as_well(error: Exception) -> None:
    def write(_requests: Sequence[BareRequest]) -> None:
        raise error

    assert is_answered(write)


def test_one_that_cannot_be_written_keeps_no_other_from_it() -> None:
    # Given a first write that takes long, so that the next requests are written together
    begun, may_end, written = Event(), Event(), list[BareRequest]()
    wrong, right = (replace(REQUEST, request_id=name) for name in ("wrong", "right"))

    def write(requests: Sequence[BareRequest]) -> None:
        begun.set()
        may_end.wait(10)
        if wrong in requests:
            raise RuntimeError("a constraint")
        written.extend(requests)

    recorder, loop, went_on = Recorder(write), Loop(), Semaphore(0)
    recorder.listens(loop)
    recorder.record(REQUEST, went_on.release)
    assert begun.wait(10)
    # When one of them fails
    for request in (wrong, right):
        recorder.record(request, went_on.release)
    may_end.set()
    # Then the other is written, and all go on
    assert all(went_on.acquire(timeout=10) for _ in range(3))
    assert written == [REQUEST, right]


def test_without_a_loop_nothing_is_recorded() -> None:
    recorder = Recorder(lambda _requests: pytest.fail("written"))
    assert not recorder.record(REQUEST, lambda: None)


def test_a_message_of_a_closed_channel_is_dropped() -> None:
    # Given a write that takes long
    begun, may_end, went_on = Event(), Event(), Event()

    def write(_requests: Sequence[BareRequest]) -> None:
        begun.set()
        may_end.wait(10)

    loop = Loop()
    recorder = Recorder(write)
    recorder.listens(loop)
    recorder.record(REQUEST, went_on.set)
    assert begun.wait(10)

    # When its consumer restarts meanwhile
    recorder.listens(Loop())
    may_end.set()

    # Then the old message goes no further: the broker delivers it again
    assert loop.called.wait(10)
    assert not went_on.is_set()


class AskedLock:
    """A lock that says when a fork asks for it, which is not willing to wait for ever."""

    def __init__(self) -> None:
        self.asked = Event()
        self._lock = Lock()
        self.release = self._lock.release

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as Lock's
        if timeout > 0:
            self.asked.set()
        return self._lock.acquire(blocking, timeout)


@pytest.mark.processes
def test_a_fork_waits_for_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a write that is under way until a fork waits for it
    monkeypatch.setattr("artifact_pipeline.worker.lifecycle.fork_lock._FORK_WAITS_SECONDS", 60)
    lock, begun, written = AskedLock(), Event(), Event()

    def write(_requests: Sequence[BareRequest]) -> None:
        begun.set()
        if lock.asked.wait(10):
            written.set()

    loop = Loop()
    recorder = Recorder(write)
    monkeypatch.setattr(recorder._writing, "_lock", lock)
    recorder.listens(loop)
    recorder.record(REQUEST, lambda: None)
    assert begun.wait(10)

    # When a child is forked
    child = os.fork()
    if child == 0:
        # Then the write has ended, the child records nothing, and none of its locks is held
        is_free = recorder._writing.acquire(blocking=False)
        is_as_it_should = written.is_set() and is_free and not recorder.record(REQUEST, print)
        os._exit(0 if is_as_it_should else 1)
    _pid, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    # And the parent goes on
    loop.called.clear()
    recorder.record(REQUEST, lambda: None)
    assert loop.called.wait(10)


@pytest.mark.parametrize(
    ("headers", "args", "kwargs"),
    [
        (HEADERS | {RECORDED_HEADER: 1}, [], {"job_id": 12}),
        (HEADERS | {"task": "artifacts.dispatch"}, [], {}),
        (HEADERS | {"task": "artifacts.relocate_job"}, [], {"job_id": 12}),
        (HEADERS | {"expires": "2020-01-01T00:00:00+00:00"}, [], {"job_id": 12}),
        (HEADERS | {"eta": "2999-01-01T00:00:00+00:00"}, [], {"job_id": 12}),
        (HEADERS, [], {"job_id": "12"}),
        (HEADERS, [12, 4], {}),
    ],
)
def test_what_makes_no_request(headers: dict[str, Any], args: list[Any], kwargs: Any) -> None:
    assert bare_request(headers, args, kwargs) is None


@pytest.mark.parametrize(("args", "kwargs"), [([12], {}), ([], {"job_id": 12})])
def test_what_makes_a_request(args: list[Any], kwargs: dict[str, Any]) -> None:
    assert bare_request(HEADERS, args, kwargs) == REQUEST
