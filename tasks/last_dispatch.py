"""The trace of the last dispatch: a note in the broker, which shows that beat is running."""

from datetime import datetime
from typing import Any

from celery import Celery

from artifact_pipeline.tasks.broker_records import records_of
from artifact_pipeline.tasks.publish import broker_channel


def note_dispatch(at: datetime, app: Celery) -> None:
    """Record that a dispatch ended.

    Args:
        at: by the database's clock, which all workers share.
        app: its broker keeps the moment.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        records_of(channel).note_dispatch(at)


def last_dispatch(channel: Any) -> datetime | None:  # noqa: ANN401 - a kombu channel
    """Return when the last dispatch ended, or None if the broker knows of none."""
    return records_of(channel).last_dispatch()
