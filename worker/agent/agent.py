"""An agent: it runs the worker of a directory tree, drains it, and forgets it."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event
from typing import Protocol

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.tasks.own_workspace import NAME_VARIABLE
from artifact_pipeline.worker.sql.named_workspaces import LeftWork, SqlNamedWorkspaces

logger = logging.getLogger(__name__)

SOMETHING_LEFT = os.EX_TEMPFAIL
"""The exit status if something is left."""
_NOT_FOUND = 127
_BY_SIGNAL = 128
_POLL_SECONDS = 0.2
_ENDINGS = (signal.SIGTERM, signal.SIGINT)
_UNKNOWN = LeftWork(active=1, quarantined=0)
"""What is left while SQL does not say."""


class Worker(Protocol):
    """The worker of the agent."""

    def start(self) -> None: ...

    @property
    def has_given_up(self) -> bool: ...

    def restart_ended(self) -> str | None: ...

    def stop(self, *, interrupts: bool) -> None: ...


@dataclass(slots=True)
class Stops:
    """The signals that have asked the agent to end. A second one ends the drain too."""

    asked: Event = field(default_factory=Event)
    hurry: Event = field(default_factory=Event)
    last: int = signal.SIGTERM

    @contextmanager
    def listening(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._note) for number in _ENDINGS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def hand_on(self, process: "subprocess.Popen[bytes]") -> None:
        """Send the signal to the command; a terminal's Ctrl-C has reached it already."""
        if self.last == signal.SIGTERM or not os.isatty(0):
            with suppress(ProcessLookupError):
                process.send_signal(self.last)

    def _note(self, number: int, _frame: object) -> None:
        self.last = number
        (self.hurry if self.asked.is_set() else self.asked).set()


@dataclass(frozen=True, kw_only=True)
class Agent:
    """Serves a workspace until a signal asks it to end, or a command has ended.

    Attributes:
        name: of the workspace.
        workspace_id: in its marker.
        workspaces: what SQL has of it.
        worker: does its work.
        drain_timeout: seconds to wait for its work to be done, at the end.
        ask_for_dispatch: has waiting transfers published now.
        count_messages: returns how many wait in the workspace's queues.
        forget_queues: removes the workspace's queues from the broker.
        say: tells the user what happens.
    """

    name: str
    workspace_id: str
    workspaces: SqlNamedWorkspaces
    worker: Worker
    drain_timeout: float
    ask_for_dispatch: Callable[[], None]
    count_messages: Callable[[], int]
    forget_queues: Callable[[], None]
    say: Callable[[str], None]
    stops: Stops = field(default_factory=Stops)

    def run(self, command: Sequence[str] = ()) -> int:
        """Serve until the command has ended, or without one until a signal; return the status.

        Returns:
            The status of the command, if it is not 0; SOMETHING_LEFT if something is left.

        Raises:
            SqlUnavailableError: the database does not answer at the start.
        """
        started_at = self.workspaces.now()
        with self.stops.listening():
            self.worker.start()
            self.say(f"serves the workspace {self.name} ({self.workspace_id})")
            status = self._follow(command) if command else self._wait()
            left = self._drain(started_at)
        if not left and not self._unregister():
            left = self._look(started_at)
        if left:
            self.say(_left(left, self.name))
            return status or SOMETHING_LEFT
        self.say(f"everything of the workspace {self.name} is stored")
        return status

    def _wait(self) -> int:
        while not self.stops.asked.wait(_POLL_SECONDS):
            self._look_after_worker()
            if self.worker.has_given_up:
                return os.EX_CONFIG
        return 0

    def _follow(self, command: Sequence[str]) -> int:
        """Run the command to its end, and hand on the signal that asks to end."""
        environment = {**os.environ, NAME_VARIABLE: self.name}
        try:
            process = subprocess.Popen(command, env=environment)  # noqa: S603 - the user's own
        except OSError as error:
            self.say(f"{command[0]}: {error.strerror}")
            return _NOT_FOUND
        handed_on = False
        while process.poll() is None:
            if self.stops.asked.is_set() and not handed_on:
                handed_on = True
                self.stops.hand_on(process)
            if self.stops.hurry.is_set():
                process.kill()
            self._look_after_worker()
            time.sleep(_POLL_SECONDS)
        status = process.wait()
        self.say(f"the command has ended with status {status}")
        return status if status >= 0 else _BY_SIGNAL - status

    def _look_after_worker(self) -> None:
        if said := self.worker.restart_ended():
            self.say(said)

    def _drain(self, since: datetime) -> LeftWork:
        """Stop the worker once nothing waits, or the time is over; return what is left."""
        until = time.monotonic() + self.drain_timeout
        self._hasten()
        left = self._look(since)
        if left.is_waiting:
            self.say(f"drains: {_waiting(left)}")
        while True:
            left = self._wait_for_work(left, since, until)
            self.worker.stop(interrupts=left.is_waiting)
            is_over = left.is_waiting
            # Something may have been asked for meanwhile, and what the worker had taken and not
            # begun is in its queues again.
            left = self._look(since)
            if is_over or not left.is_waiting:
                return left
            self.worker.start()

    def _wait_for_work(self, left: LeftWork, since: datetime, until: float) -> LeftWork:
        while left.is_waiting and time.monotonic() < until and self._can_continue:
            self._look_after_worker()
            self.stops.hurry.wait(_POLL_SECONDS)
            left = self._look(since)
        return left

    @property
    def _can_continue(self) -> bool:
        return not (self.stops.hurry.is_set() or self.worker.has_given_up)

    def _hasten(self) -> None:
        """Try at once what waits for a later attempt: its files may be gone by then."""
        try:
            if self.workspaces.make_due(self.name):
                self.ask_for_dispatch()
        except PipelineError as error:
            logger.warning("waiting transfers keep their time: %s", error)

    def _look(self, since: datetime) -> LeftWork:
        """Return what is left. Messages count: SQL knows of a bare one once a worker has it."""
        try:
            left = self.workspaces.left(self.name, since)
            return replace(left, messages=self.count_messages())
        except PipelineError as error:
            logger.warning("it is not known what is left: %s", error)
            return _UNKNOWN

    def _unregister(self) -> bool:
        """Forget the workspace; return False if it was not there, or has got work meanwhile."""
        try:
            if not self.workspaces.unregister(self.name, self.workspace_id):
                return False
            self.forget_queues()
        except PipelineError as error:
            self.say(f"the workspace {self.name} stays known: {error}")
        return True


def _waiting(left: LeftWork) -> str:
    if left.active:
        return f"{left.active} transfers are not done, and wait for this directory"
    return f"{left.messages} messages wait in its queues"


def _left(left: LeftWork, name: str) -> str:
    parts: list[str] = []
    if left.is_waiting:
        parts.append(_waiting(left))
    if left.quarantined:
        parts.append(f"{left.quarantined} were given up: artifacts quarantine list")
    return f"left of the workspace {name}: {'; '.join(parts)}"
