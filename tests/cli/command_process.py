"""A command that starts servers, as a process, and what it must not leave behind."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from artifact_pipeline.worker.embedded import lifeline
from tests.cli.commands import bare_environment
from tests.image import ROOT

_PATIENCE_SECONDS = 120
ARTIFACTS = str(Path(sys.executable).with_name("artifacts"))


def forking(module: str) -> tuple[str, ...]:
    """Return the command that runs a module whose processes of Celery are forked."""
    return (
        sys.executable,
        "-c",
        f"from tests.preloaded import run_forking; run_forking({module!r})",
    )


def processes_of(*places: Path) -> list[psutil.Process]:
    """Return all that live below these directories, or keep their temporary files there."""
    return [process for process in psutil.process_iter() if _is_of(process, places)]


def _is_of(process: psutil.Process, places: Sequence[Path]) -> bool:
    with suppress(psutil.Error):
        # Valkey writes its title over its environment, and works in its own directory.
        seen = (process.environ().get("TMPDIR", ""), process.cwd())
        return process.status() != psutil.STATUS_ZOMBIE and any(
            place.startswith(str(ours)) for place in seen for ours in places
        )
    return False


class ParentProcess:
    """A process with its own TMPDIR, by which its children are recognised.

    Args:
        directory: for its output.
        command: that starts others.
        temporary: is its TMPDIR.
        environment: beside that.
    """

    def __init__(
        self, directory: Path, command: Sequence[str], temporary: Path, **environment: str
    ) -> None:
        self.temporary = temporary
        self.places = [temporary]
        """Directories in which its children work."""
        self._files = [directory / "out", directory / "err"]
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err:
            self._process = lifeline.start(
                command,
                env={**bare_environment(), "TMPDIR": str(self.temporary), **environment},
                cwd=ROOT,
                stdout=out,
                stderr=err,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self.ended()

    @property
    def out(self) -> str:
        return self._files[0].read_text()

    @property
    def err(self) -> str:
        return self._files[1].read_text()

    def wait_for(self, words: str) -> None:
        """Until it says so, on either stream."""
        self.wait_until(lambda: words in self.out + self.err)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Fails if the process ends before, or too much time passes."""
        _wait_until(lambda: condition() or self._process.poll() is not None)
        assert condition(), self.out + self.err

    def wait_until_gone(self) -> None:
        """Wait until everything that it started has ended."""
        _wait_until(lambda: not self.processes())

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        return self._process.wait(_PATIENCE_SECONDS)

    def processes(self) -> list[psutil.Process]:
        """Everything alive that it started, however far removed, and itself."""
        return processes_of(*self.places)


class CommandProcess(ParentProcess):
    """`artifacts` with these arguments."""

    command: tuple[str, ...] = (ARTIFACTS,)

    def __init__(self, directory: Path, *arguments: str, **environment: str) -> None:
        # Short, for the broker's socket lies below it.
        temporary = directory / "t"
        temporary.mkdir()
        super().__init__(directory, [*self.command, *arguments], temporary, **environment)


class ForkingProcess(CommandProcess):
    """The same, whose processes of Celery are forked: their start took most of the tests' time."""

    command = forking("artifact_pipeline.worker.cli")


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        # A look at all processes of the machine takes as long as this.
        time.sleep(0.1)
