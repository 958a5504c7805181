"""Whether a directory is the workspace, and not the mount point of a share that is away."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from artifact_pipeline.domain.errors import WorkspaceUnavailableError
from artifact_pipeline.worker.workspace.directories import DIRECTORY
from artifact_pipeline.worker.workspace.marker import MARKER, holds_jobs, make_marker, read_marker

logger = logging.getLogger(__name__)

# A process uses the ids that it has read for this long: then it notices that one was replaced.
_KNOWN_SECONDS = 60.0
# How long the marker of one and the same directory is not read again. Each upload of a page looks.
_RIGHT_SECONDS = 1.0
_REMEDY = "Mount the share, or run `artifacts workspace init --adopt` if it is the workspace now"


class IWorkspaces(Protocol):
    """The workspaces that the database knows."""

    def known(self) -> frozenset[str] | None:
        """Return the ids of all of them; None if the database is too old to have any."""

    def add_first(self, workspace_id: str) -> None:
        """Add the workspace, unless one is known."""


class Verdict(StrEnum):
    """What a directory is, by its marker and by what the database knows."""

    OK = "ok"
    NOT_CHECKED = "not_checked"
    """The database has no table of workspaces."""
    NEW = "new"
    """The database knows no workspace, and this tree has job directories: workers mark it."""
    NOT_INITIALIZED = "not_initialized"
    """The database knows no workspace, and this tree has no job directory."""
    NO_MARKER = "no_marker"
    OTHER_ID = "other_id"

    @property
    def is_usable(self) -> bool:
        return self in {Verdict.OK, Verdict.NOT_CHECKED, Verdict.NEW}


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in a directory. Attributes: `marked` is the id in its marker, if any."""

    verdict: Verdict
    marked: str | None
    known: frozenset[str] = frozenset()

    @property
    def wrong(self) -> str:
        """Say what was found, what was expected, and what to do; empty if it may be used."""
        ids = " or ".join(sorted(self.known))
        expected = f"expected the workspace {ids}" if ids else "no workspace was initialized yet"
        match self.verdict:
            case Verdict.NO_MARKER:
                return f"it has no marker {MARKER}; {expected}. {_REMEDY}"
            case Verdict.OTHER_ID:
                has = f"has the id {self.marked}" if self.marked else "is broken"
                return f"its marker {MARKER} {has}; {expected}. {_REMEDY}"
            case Verdict.NOT_INITIALIZED:
                return (
                    "no workspace was initialized yet, and it has no job's directory. Mount the"
                    " share, then run `artifacts workspace init`"
                )
        return ""


@contextmanager
def opened_root(root: Path) -> Iterator[int]:
    """Open the root of a workspace. Raises: WorkspaceUnavailableError: it is not there."""
    try:
        descriptor = os.open(root, DIRECTORY)
    except OSError as error:
        raise WorkspaceUnavailableError(f"its directory: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def look_at(root: int, known: frozenset[str] | None) -> Look:
    """Look at an opened root. Raises: WorkspaceUnavailableError: it cannot be read."""
    marked = read_marker(root)
    if known is None:
        return Look(Verdict.NOT_CHECKED, marked)
    if marked in known:
        return Look(Verdict.OK, marked, known)
    if known or marked == "":
        return Look(Verdict.NO_MARKER if marked is None else Verdict.OTHER_ID, marked, known)
    try:
        return Look(Verdict.NEW if holds_jobs(root) else Verdict.NOT_INITIALIZED, marked)
    except OSError as error:
        raise WorkspaceUnavailableError(f"its directory: {error.strerror}") from None


@dataclass(slots=True)
class WorkspaceCheck:
    """Refuses a directory that is not a workspace of this database.

    Attributes:
        root: the directory.
        workspaces: those that the database knows.
        is_worker: marks a tree that is in use already, where the database knows no workspace yet.
            A command never does: an operator's own directory may hold job directories too.
    """

    root: Path
    workspaces: IWorkspaces
    is_worker: bool = False
    clock: Callable[[], float] = time.monotonic
    _right: tuple[int, int] | None = None
    """The device and inode of the directory that was a workspace when its marker was read last."""
    _right_until: float = float("-inf")
    _known: frozenset[str] | None = frozenset()
    _known_until: float = float("-inf")
    _has_warned: bool = False

    def __call__(self) -> None:
        """Look at the directory by its path. Raises: WorkspaceUnavailableError."""
        with opened_root(self.root) as descriptor:
            self.opened(descriptor)

    def look(self) -> Look:
        """Return what the directory is now, and change nothing."""
        with opened_root(self.root) as descriptor:
            return look_at(descriptor, self.workspaces.known())

    def opened(self, root: int) -> None:
        """Look at the opened root, which stays the same whatever is mounted there later.

        Raises:
            WorkspaceUnavailableError: it is not a workspace that is known.
            SqlUnavailableError: the database does not answer.
        """
        status, now = os.fstat(root), self.clock()
        directory = status.st_dev, status.st_ino
        # A mount or unmount since then shows another directory.
        if directory == self._right and now < self._right_until:
            return
        self._check(root)
        self._right, self._right_until = directory, now + _RIGHT_SECONDS

    def _check(self, root: int) -> None:
        if self.clock() < self._known_until and self._is_known(root):
            return
        found = look_at(root, self._read_known())
        if found.verdict is Verdict.NEW and self.is_worker:
            found = self._marked(root, found)
        if found.verdict is Verdict.NOT_INITIALIZED and not self.is_worker:
            return  # an operator's command, beside workers that have not begun
        if not found.verdict.is_usable:
            raise WorkspaceUnavailableError(found.wrong)

    def _is_known(self, root: int) -> bool:
        # None: the database has no table, and every tree will do.
        return self._known is None or read_marker(root) in self._known

    def _read_known(self) -> frozenset[str] | None:
        self._known = self.workspaces.known()
        self._known_until = self.clock() + _KNOWN_SECONDS
        return self._known

    def _marked(self, root: int, found: Look) -> Look:
        """Mark a tree that was in use before there were markers, and add it to the database."""
        try:
            marked = found.marked or make_marker(root)
        except OSError as error:
            # Such as a read-only mount, of a worker that only uploads: another one marks it.
            if not self._has_warned:
                logger.warning("the workspace cannot be marked from here: %s", error.strerror)
            self._has_warned = True
            return found
        self.workspaces.add_first(marked)
        logger.warning("the workspace is marked as %s, as it holds job directories", marked)
        return look_at(root, self._read_known())
