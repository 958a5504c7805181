"""Programs that wheels bring, or that the machine has."""

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

_VERSION_SECONDS = 30


def installed_file(package: str, name: str) -> Path | None:
    """Return the file of that name that a package has installed, if it has."""
    try:
        installed = files(package) or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in installed if file.name == name), None)


@cache
def runs(binary: Path) -> bool:
    """Tell whether a server's program can run here: it may be for another system or libc."""
    try:
        asked = subprocess.run(  # noqa: S603 - a server of a wheel or of the PATH
            [binary, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
