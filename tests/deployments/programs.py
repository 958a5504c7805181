"""Debian's programs that no wheel has, with which deployments are built and rules are checked."""

import os
import shutil

import pytest

_TARGETS = {
    **dict.fromkeys(("pgbouncer", "redis-server", "redis-sentinel"), "servers"),
    "promtool": "promtool",
    "rabbitmq-server": "rabbitmq",
}
"""The target of make that installs each."""


def program(name: str) -> str:
    """Return the path of a program. Without it CI fails, and a laptop says what it skips."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if path is None:
        missing = f"{name.upper()} IS MISSING: make {_TARGETS[name]}, as root"
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end(missing)
    return path
