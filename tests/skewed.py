"""Processes whose clock is wrong, by libfaketime."""

import os
from pathlib import Path

_PLACES = (
    *Path("/usr/lib").glob("*/faketime/libfaketime.so.1"),
    *Path("/usr/lib/faketime").glob("libfaketime.so.1"),
    *Path("/usr/local/lib/faketime").glob("libfaketime.so.1"),
)


def environment(minutes: float) -> dict[str, str]:
    """Return the environment of a process whose wall clock is that much ahead.

    Its monotonic clock is right, as that of a machine whose clock is wrong.

    Raises:
        FileNotFoundError: libfaketime is not installed.
    """
    if not _PLACES:
        raise FileNotFoundError("LIBFAKETIME IS MISSING, so no clock was skewed: make faketime")
    preload = " ".join(filter(None, (os.environ.get("LD_PRELOAD"), str(_PLACES[0]))))
    return {
        "LD_PRELOAD": preload,
        "FAKETIME": f"{minutes * 60:+.0f}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        # Else it would change the times of files too, which only the file system gives.
        "NO_FAKE_STAT": "1",
    }
