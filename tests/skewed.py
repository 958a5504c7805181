"""Processes whose clock is wrong: a small library is preloaded into them."""

import atexit
import functools
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

from artifact_pipeline.worker.embedded import lifeline

_directories = ExitStack()
atexit.register(_directories.close)
_SOURCE = Path(__file__).with_name("skewed_clock.c")


def environment(minutes: float) -> dict[str, str]:
    """Return the environment of a process whose wall clock is that much ahead.

    Its monotonic clock and its sleeps are right, as on a machine whose clock is wrong.

    Raises:
        FileNotFoundError: there is no C compiler.
    """
    preload = " ".join(filter(None, (os.environ.get("LD_PRELOAD"), str(_library()))))
    return {"LD_PRELOAD": preload, "SKEW_SECONDS": f"{minutes * 60:.0f}"}


@functools.cache
def _library() -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise FileNotFoundError("A C COMPILER IS MISSING, so no clock was skewed: make compiler")
    directory = _directories.enter_context(lifeline.temporary_directory("artifacts-skew-"))
    library = directory / "skewed_clock.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE)]
    subprocess.run(command, check=True, timeout=60)
    return library
