"""Letting upkeep messages that piled up be harmless: one of them does the work of all."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from celery import Celery

from artifact_pipeline.tasks.keys import prefix_of
from artifact_pipeline.tasks.publish import pooled_client

_BEGAN = "artifacts.began."
_MICROSECONDS = 1_000_000


def take_turn(task: str, app: Celery) -> bool:
    """Tell whether this run is needed, and record that it begins.

    It is not if another one began less than half of beat's period ago. The broker's clock decides,
    and not this worker's. A moment in the future, as after that clock was set back, counts for
    nothing.

    Args:
        task: one that beat asks for.
        app: its broker keeps the moment, its settings have the period.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    key = f"{prefix_of(app)}{_BEGAN}{task}"
    with pooled_client(app) as client:
        (seconds, microseconds), began = client.pipeline().time().get(key).execute()
        now = seconds * _MICROSECONDS + microseconds
        age = timedelta(microseconds=now - _number(began))
        if timedelta(0) <= age < _period(app.conf.beat_schedule, task) / 2:
            return False
        client.set(key, now)
    return True


def _number(text: bytes | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _period(schedule: Mapping[str, Mapping[str, Any]], task: str) -> timedelta:
    """Return the shortest period of beat's entries for the task; none without an entry."""
    periods = [entry["schedule"] for entry in schedule.values() if entry["task"] == task]
    return min(map(_as_timedelta, periods), default=timedelta(0))


def _as_timedelta(period: Any) -> timedelta:  # noqa: ANN401 - as in Celery's settings
    if isinstance(period, timedelta):
        return period
    return timedelta(seconds=period) if isinstance(period, int | float) else timedelta(0)
