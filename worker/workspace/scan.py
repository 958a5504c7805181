"""What goes into the zip of a run's results."""

import os
import stat
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from artifact_pipeline.domain.errors import SourceEmptyError, SourceInvalidError, SourceMissingError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.workspace.enclosure import Enclosure, Stamp
from artifact_pipeline.worker.workspace.entry_names import problem_with, shown
from artifact_pipeline.worker.workspace.failures import LEADS_NOWHERE, reading

_MOST_THROUGH_LINKS = 100_000
"""Thirty directories, each with two links to the next, name a thousand million files."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the zip.

    Attributes:
        name: in the zip; a directory's ends with a slash.
        real: where the content lies, relative to the results' directory; not `name` under a link.
        stamp: None for a directory, which is only listed where nothing in it is.
        is_executable: by its owner.
    """

    name: str
    real: str
    stamp: Stamp | None = None
    is_executable: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """All entries, sorted by name, and how many things were left out."""

    entries: tuple[Entry, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class _Directory:
    name: str
    real: str
    parent: "_Directory | None" = None

    def comes_from(self, real: str) -> bool:
        """Return whether the real directory is this one, or one on the way here."""
        step: _Directory | None = self
        while step and step.real != real:
            step = step.parent
        return step is not None


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    seen: os.stat_result


_TOP = _Directory("", ".")


def is_run(name: str) -> bool:
    """Return whether a directory of this name is one of a run's RUN* directories."""
    return name.startswith("RUN")


def scan(artifact: Artifact, enclosure: Enclosure, run: str = "") -> Listing:
    """Look at every file under the enclosure's RUN* directories.

    Or, if `run` is given, at every file of the enclosure, which is the RUN* directory of this name.

    Raises:
        SourceMissingError: there is no RUN* directory.
        SourceEmptyError: there is no file in them.
        SourceInvalidError: a name cannot be in a zip and is in the message, or the links multiply
            the files.
        SourceChangedError: something vanished while it was looked at.
        SourceUnreadableError: the worker may not read a directory.
    """
    with reading(artifact):
        scanner = _Scanner(artifact, enclosure, run)
        scanner.walk()
    if not scanner.entries:
        raise SourceMissingError(f"{artifact}: no RUN directory")
    if not any(entry.stamp for entry in scanner.entries):
        raise SourceEmptyError(f"{artifact}: no file in any RUN directory")
    return Listing(tuple(sorted(scanner.entries, key=lambda e: e.name)), scanner.left_out)


class _Scanner:
    def __init__(self, artifact: Artifact, enclosure: Enclosure, run: str) -> None:
        self.entries: list[Entry] = []
        self.left_out = 0
        self._artifact = artifact
        self._enclosure = enclosure
        self._prefix = f"{run}/" if run else ""
        self._through_links = 0
        # Do not recurse: a tree may be deeper than Python's stack.
        self._to_do = [_TOP]

    def walk(self) -> None:
        while self._to_do:
            directory = self._to_do.pop()
            # A refusal ends the listing early, which must be closed then.
            with closing(self._list(directory)) as listed:
                taken = [self._take(directory, found) for found in listed]
            if self._is_in_run(directory) and not any(taken):
                name = "" if directory is _TOP else f"{directory.name}/"
                self._add(name, directory.real)

    def _is_in_run(self, directory: _Directory | None) -> bool:
        return bool(self._prefix) or directory is not _TOP

    def _list(self, directory: _Directory) -> Generator[_Found, None, None]:
        with self._enclosure.opened(directory.real) as descriptor, os.scandir(descriptor) as found:
            for each in found:
                if self._is_in_run(directory) or is_run(each.name):
                    yield _Found(each.name, each.stat(follow_symlinks=False))

    def _take(self, parent: _Directory, found: _Found) -> bool:
        """Return whether the zip has something of it."""
        at_top = parent is _TOP
        place = _Directory(
            found.name if at_top else f"{parent.name}/{found.name}",
            found.name if at_top else f"{parent.real}/{found.name}",
            parent,
        )
        if stat.S_ISLNK(found.seen.st_mode):
            return self._take_link(place, parent)
        return self._take_real(place, found.seen)

    def _take_link(self, link: _Directory, parent: _Directory) -> bool:
        real = self._enclosure.real(link.real)
        target = None if real is None else self._target(real)
        if real is None or target is None or parent.comes_from(real):
            self.left_out += 1
            return False
        return self._take_real(_Directory(link.name, real, parent), target)

    def _target(self, real: str) -> os.stat_result | None:
        try:
            return self._enclosure.look(real)
        except OSError as error:
            if error.errno in LEADS_NOWHERE:
                return None
            raise

    def _take_real(self, place: _Directory, seen: os.stat_result) -> bool:
        if place.name != place.real:
            self._count_through_link()
        if stat.S_ISDIR(seen.st_mode):
            self._to_do.append(place)
            return True
        if not self._is_in_run(place.parent):
            return False  # a file named RUN… is no part of the results
        if stat.S_ISREG(seen.st_mode):
            self._add(place.name, place.real, seen)
            return True
        self.left_out += 1
        return False

    def _add(self, name: str, real: str, seen: os.stat_result | None = None) -> None:
        stamp = None if seen is None else Stamp.of(seen)
        is_executable = seen is not None and bool(seen.st_mode & stat.S_IXUSR)
        entry = Entry(f"{self._prefix}{name}", real, stamp, is_executable)
        self._check(entry.name)
        self.entries.append(entry)

    def _check(self, name: str) -> None:
        problem = problem_with(name)
        if problem is not None:
            raise SourceInvalidError(f"{self._artifact}: {problem}: {shown(name)}; rename it")

    def _count_through_link(self) -> None:
        self._through_links += 1
        if self._through_links > _MOST_THROUGH_LINKS:
            raise SourceInvalidError(
                f"{self._artifact}: links repeat more than {_MOST_THROUGH_LINKS} files"
            )
