"""Reports that a process of a test run keeps to itself, as xdist does with those of collecting.

Each test has three, and those of a setup and a teardown that passed are neither counted nor shown.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

_KEPT = "is_kept"


def keep_uneventful(config: pytest.Config) -> None:
    """Let a process of xdist's send only what somebody sees: such a report is left out."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    for plugin in config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":
            setattr(plugin, "sendevent", partial(_send, plugin.sendevent))  # noqa: B010 - a method


def serialized(config: pytest.Config, report: pytest.TestReport) -> dict[str, Any] | None:
    """Return what stands for a report that is left out, or nothing for one that is sent."""
    is_asked_for = config.option.durations is not None or config.option.xmlpath
    is_uneventful = report.passed and not report.sections and report.when in {"setup", "teardown"}
    return None if is_asked_for or not is_uneventful else {_KEPT: True}


def _send(send: Callable[..., None], name: str, **given: Any) -> None:
    if _KEPT not in (given.get("data") or ()):
        send(name, **given)
