"""The messages of a request as rows of PostgreSQL, for the transaction that makes the request."""

from collections.abc import Collection, Sequence
from typing import Any

from celery import Celery
from kombu import Producer
from psycopg.conninfo import conninfo_to_dict

from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.tasks.app import broker_urls
from artifact_pipeline.tasks.broker_kinds import POSTGRESQL, kind_of_url
from artifact_pipeline.tasks.pgmq_channel import Channel
from artifact_pipeline.tasks.publish import messages_of


def broker_database(app: Celery) -> str | None:
    """Return the name of the database that is the app's broker, or None if none is."""
    url = broker_urls(app)[0]
    if kind_of_url(url) is not POSTGRESQL:
        return None
    database = conninfo_to_dict(url).get("dbname")
    return str(database) if database else None


def rows_to_send(
    transfers: Sequence[Transfer], app: Celery, of_jobs: Collection[int] = ()
) -> list[tuple[str, str]]:
    """Return the messages of the transfers, each with the name of its queue in PGMQ.

    Args: as `publish`.
    """
    transport: Any = app.connection_for_write().transport  # connects to nothing
    channel: Any = _CollectingChannel(transport)
    producer = Producer(channel, auto_declare=False)
    for message in messages_of(transfers, of_jobs):
        message.send(app, producer)
    rows: list[tuple[str, str]] = channel.rows
    return rows


class _CollectingChannel(Channel):
    """A channel that keeps what it would send."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's
        super().__init__(*args, **kwargs)
        self.rows: list[tuple[str, str]] = []

    def send(self, messages: Sequence[tuple[str, str]]) -> None:
        self.rows.extend(messages)

    def _new_queue(self, queue: str, **_: Any) -> None:  # noqa: ANN401 - kombu's
        """Leave it: the queue is there, or the message goes by the broker."""

    def _size(self, queue: str) -> int:  # noqa: ARG002 - kombu's
        return 0
