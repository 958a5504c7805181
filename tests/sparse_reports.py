"""Reports that a process of a test run keeps to itself, as xdist does with those of collecting.

Each test has three, and those of a setup and a teardown that passed are neither counted nor shown.
Nobody looks at the marks of one that passed, or is told that it begins.
"""

import os
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import pytest

_KEPT = "is_kept"


def keep_uneventful(config: pytest.Config) -> None:
    """Let a process of xdist's send only what somebody sees: such a report is left out."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    unheard = () if config.get_verbosity() > 0 else ("logstart",)
    for plugin in config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":
            send = partial(_send, plugin.sendevent, unheard)
            setattr(plugin, "sendevent", send)  # noqa: B010 - a method


def serialized(config: pytest.Config, report: pytest.TestReport) -> dict[str, Any] | None:
    """Return what stands for a report that is left out, or nothing for one that is sent."""
    is_asked_for = config.option.durations is not None or config.option.xmlpath
    is_uneventful = report.passed and not report.sections and report.when in {"setup", "teardown"}
    if is_asked_for:
        return None
    if is_uneventful:
        return {_KEPT: True}
    if report.passed and type(report) is pytest.TestReport:
        return {**report._to_json(), "keywords": {}, "$report_type": "TestReport"}
    return None


def _send(send: Callable[..., None], unheard: Collection[str], name: str, **given: Any) -> None:
    if name not in unheard and _KEPT not in (given.get("data") or ()):
        send(name, **given)
