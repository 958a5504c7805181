"""The logs of many processes as one, each line with its source in colour."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from artifact_pipeline.worker.embedded.process import ManagedProcess

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "red")


class Follower:
    """What a file gets from now on, line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def lines(self) -> list[str]:
        """Return the whole new lines; one that is still being written comes next time."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode(errors="replace").splitlines()


class Logs:
    """Of the processes given, in their order."""

    def __init__(self, processes: Sequence[ManagedProcess]) -> None:
        self._width = max(len(process.name) for process in processes)
        self._followed = [
            (process.name, _COLOURS[position % len(_COLOURS)], Follower(process.log))
            for position, process in enumerate(processes)
        ]

    def new(self) -> Iterator[Text]:
        for name, colour, follower in self._followed:
            for line in follower.lines():
                # A worker's banner brings its own escape sequences.
                yield Text(f"{name:{self._width}} ", style=colour).append_text(Text.from_ansi(line))
