"""The sign of life of a process, in a file beside the one that an operator names.

It is a moment of the monotonic clock, which all processes of a machine share and which cannot be
set. By the file's own time, a clock that is set back would keep a dead process alive for as long,
and one that is set ahead would have a healthy one killed. The clock starts again with each boot, so
the file names the boot as well.
"""

import time
from functools import cache
from pathlib import Path
from time import monotonic

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def record_sign_of_life(path: Path) -> None:
    """Record a sign of life. Raises: OSError."""
    path.touch()
    _beside(path).write_text(f"{monotonic()} {_boot()}")


def seconds_since_sign_of_life(path: Path) -> float:
    """Return how long ago the last sign was; infinite if there was none since the machine's boot.

    Raises:
        OSError: there is no such file.
    """
    # A file from the future is no sign of life: the clock was set back since.
    by_its_time = abs(time.time() - path.stat().st_mtime)
    try:
        moment, _, boot = _beside(path).read_text().partition(" ")
        ago = monotonic() - float(moment)
    except (OSError, ValueError):
        # The file is of an earlier release, or was read between the two steps of a write.
        return by_its_time
    return ago if ago >= 0 and boot == _boot() else float("inf")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.steady")


@cache
def _boot() -> str:
    """Return the id of this boot; empty where the system has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
