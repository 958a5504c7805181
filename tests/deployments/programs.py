"""Debian's server programs, with which a deployment is built that no wheel has."""

import os
import shutil

import pytest

_PACKAGES = {"pgbouncer": "pgbouncer", "redis-server": "redis-server"}


def program(name: str) -> str:
    """Return the path of a server program. Without it CI fails, and a laptop says what it skips."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if path is None:
        missing = f"{name.upper()} IS MISSING (Debian's {_PACKAGES[name]}): make servers, as root"
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end(missing)
    return path
