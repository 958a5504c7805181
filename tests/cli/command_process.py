"""A command that starts servers, as a process, and what it must not leave behind."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.cli.commands import bare_environment
from worker.embedded import lifeline

_PATIENCE_SECONDS = 60


class CommandProcess:
    """A command with a temporary directory of its own, by which its processes are known."""

    def __init__(self, directory: Path, *arguments: str, **environment: str) -> None:
        # Short, for the broker's socket lies below it.
        self.temporary = directory / "t"
        self.temporary.mkdir()
        self._files = [directory / "out", directory / "err"]
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err:
            self._process = lifeline.start(
                [Path(sys.executable).with_name("artifacts"), *arguments],
                env={**bare_environment(), "TMPDIR": str(self.temporary), **environment},
                stdout=out,
                stderr=err,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
        self._wait_until(lambda: words in self.out + self.err or self._process.poll() is not None)
        assert words in self.out + self.err, self.err

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        return self._process.wait(_PATIENCE_SECONDS)

    def processes(self) -> list[psutil.Process]:
        """Everything alive that it started, however far removed, and itself."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            # Valkey writes its title over its environment, and works in its own directory.
            places = (process.environ().get("TMPDIR", ""), process.cwd())
            return process.status() != psutil.STATUS_ZOMBIE and any(
                place.startswith(str(self.temporary)) for place in places
            )
        return False

    @staticmethod
    def _wait_until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.02)
