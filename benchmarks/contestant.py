"""Measures one brief work of the code it is started with, each time it is asked.

python -m benchmarks.contestant WORK DATABASE_URL DESCRIPTOR: `benchmarks.against` starts it, writes
a line to the descriptor for each round, and reads figures from standard output, a line of JSON
each.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import artifact_pipeline
from artifact_pipeline.worker.embedded import lifeline
from benchmarks.brief import BRIEF_WORKS
from benchmarks.deployment import deployment_on
from benchmarks.figures import Measured, Unit

_GO = b"go\n"


class ContestantError(Exception):
    """A contestant ended without its figures; its own output says why."""


class Contestant:
    """A process that runs the code of one side, with its workers, broker and S3."""

    def __init__(self, process: "subprocess.Popen[bytes]", asking: int) -> None:
        self._process = process
        self._asking = asking

    def measure(self) -> Measured:
        """Have it do the work once.

        Raises:
            ContestantError: it has ended.
        """
        try:
            os.write(self._asking, _GO)
        except BrokenPipeError:
            raise ContestantError(self._why()) from None
        figures: dict[str, float] = json.loads(self._answer())
        return {Unit(unit): value for unit, value in figures.items()}

    def check_code(self, tree: Path) -> None:
        """Make sure that it runs the code of this directory.

        Raises:
            ContestantError: it runs other code, or has ended.
        """
        code = Path(json.loads(self._answer()))
        if not code.is_relative_to(tree.resolve()):
            raise ContestantError(
                f"{code} was imported instead of what is in {tree}, which has no package"
                " artifact_pipeline. Name a later commit"
            )

    def _answer(self) -> bytes:
        assert self._process.stdout is not None
        answer: bytes = self._process.stdout.readline()
        if not answer:
            raise ContestantError(self._why())
        return answer

    def _why(self) -> str:
        return f"the benchmark ended with status {self._process.wait()}; its error is above"


@contextmanager
def contestant(tree: Path, work: str, database_url: str) -> Iterator[Contestant]:
    """Start the benchmark of a directory with the project's sources, on an empty database."""
    reading, asking = os.pipe()
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    # Else each of its processes would compile the sources again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = lifeline.start(
        [sys.executable, "-m", "benchmarks.contestant", work, database_url, str(reading)],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        pass_fds=[reading],
    )
    os.close(reading)
    try:
        started = Contestant(process, asking)
        started.check_code(tree)
        yield started
    except BaseException:
        process.terminate()  # else it would finish its round first
        raise
    finally:
        os.close(asking)  # it ends when there is nothing more to read
        process.communicate()
        lifeline.forget(process.pid)


def main(name: str, database_url: str, descriptor: str) -> None:
    print(json.dumps(artifact_pipeline.__file__), flush=True)
    with os.fdopen(int(descriptor), "rb") as asked, deployment_on(database_url) as made:
        measure = BRIEF_WORKS[name].ours(made)
        for _ in asked:
            print(json.dumps(measure()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
