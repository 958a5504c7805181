"""Ends the processes that a process has started, once that process has ended.

Run as a script by `lifeline.py`, with the read end of a pipe as its stdin. Each line of the pipe is
a note; the end of the pipe is the end of every process that could write one:

    group PID SIGNAL    PID leads a process group; send it SIGNAL at the end
    forget PID          the group has ended
    directory HEX       remove this directory at the end; the bytes of its path, in hexadecimal
    kept HEX            do not
"""

import os
import select
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_GRACE_SECONDS = 10
_REMOVAL_SECONDS = 5
_POLL_SECONDS = 0.02
_PRUNE_SECONDS = 1.0
_CHUNK = 65_536


class Watcher:
    """The groups that run, with the signal that ends each, and the directories in use."""

    def __init__(self) -> None:
        self._signals: dict[int, int] = {}
        self._directories: set[Path] = set()

    def read(self, pipe: int) -> None:
        """Take notes until the pipe ends."""
        rest = b""
        while True:
            if not select.select([pipe], [], [], _PRUNE_SECONDS if self._signals else None)[0]:
                self._prune()
                continue
            chunk = os.read(pipe, _CHUNK)
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._note(*line.decode("ascii").split())

    def clean(self) -> None:
        """End the groups, then remove the directories, which are not written to any more."""
        self._prune()
        for pid, number in self._signals.items():
            with suppress(OSError):
                os.kill(pid, number)
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(map(_is_alive, self._signals)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        for pid in self._signals:
            with suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        for directory in self._directories:
            _remove(directory)

    def _note(self, what: str, about: str, number: str = "") -> None:
        if what == "group":
            self._signals[int(about)] = int(number)
        elif what == "forget":
            self._signals.pop(int(about), None)
        elif what == "directory":
            self._directories.add(_path(about))
        elif what == "kept":
            self._directories.discard(_path(about))

    def _prune(self) -> None:
        """Forget the groups that have ended: the system may give their numbers to others."""
        for pid in list(self._signals):
            with suppress(PermissionError):  # macOS, of a group of zombies
                try:
                    os.killpg(pid, 0)
                except ProcessLookupError:
                    del self._signals[pid]


def _path(hexadecimal: str) -> Path:
    return Path(os.fsdecode(bytes.fromhex(hexadecimal)))


def _is_alive(pid: int) -> bool:
    """Tell whether it runs. A zombie does not, and without an init it stays a zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] != b"Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # no /proc at all, as on macOS


def _remove(directory: Path) -> None:
    # A killed process can still finish one write.
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)
        time.sleep(_POLL_SECONDS)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    watcher = Watcher()
    watcher.read(sys.stdin.fileno())
    watcher.clean()


if __name__ == "__main__":
    main()
