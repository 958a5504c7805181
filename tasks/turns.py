"""Letting upkeep messages that piled up be harmless: one of them does the work of all."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from celery import Celery

from artifact_pipeline.tasks.broker_connections import pooled_connection
from artifact_pipeline.tasks.broker_records import records_of


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
    pause = _period(app.conf.beat_schedule, task) / 2
    with pooled_connection(app) as connection:
        return records_of(connection.default_channel).take_turn(task, pause)


def _period(schedule: Mapping[str, Mapping[str, Any]], task: str) -> timedelta:
    """Return the shortest period of beat's entries for the task; none without an entry."""
    periods = [entry["schedule"] for entry in schedule.values() if entry["task"] == task]
    return min(map(_as_timedelta, periods), default=timedelta(0))


def _as_timedelta(period: Any) -> timedelta:  # noqa: ANN401 - as in Celery's settings
    if isinstance(period, timedelta):
        return period
    return timedelta(seconds=period) if isinstance(period, int | float) else timedelta(0)
