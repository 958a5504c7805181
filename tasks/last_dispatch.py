"""The trace of the last dispatch: a key in the broker, which shows that beat is running."""

from datetime import datetime, timedelta
from typing import Any

from celery import Celery

from artifact_pipeline.tasks.keys import own_client, own_key
from artifact_pipeline.tasks.publish import broker_channel, moment_of

_KEY = "artifacts.dispatched_at"
# Long enough to show since when beat is away; an unused broker drops the key.
_KEPT = timedelta(days=7)


def note_dispatch(at: datetime, app: Celery) -> None:
    """Record that a dispatch ended.

    Args:
        at: by the database's clock, which all workers share.
        app: its broker keeps the moment.

    Raises:
        BrokerUnavailableError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        own_client(channel).set(own_key(channel, _KEY), at.isoformat(), ex=_KEPT)


def last_dispatch(channel: Any) -> datetime | None:  # noqa: ANN401 - a kombu channel
    """Return when the last dispatch ended, or None if the broker knows of none."""
    kept: Any = own_client(channel).get(own_key(channel, _KEY))
    return moment_of(kept)
