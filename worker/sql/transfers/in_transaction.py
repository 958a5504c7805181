"""Sending messages in a producer's own transaction, where its database is the broker too."""

from collections.abc import Sequence

from celery import Celery
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.tasks.app import broker_urls
from artifact_pipeline.tasks.broker_kinds import POSTGRESQL, kind_of_url

# A statement that fails would end the producer's transaction: so ask first.
_MAY_SEND = text(
    "SELECT count(*) FROM unnest(CAST(:queues AS text[])) AS queue"
    " WHERE has_schema_privilege(to_regnamespace('pgmq'), 'USAGE')"
    " AND has_table_privilege(to_regclass('pgmq.q_' || queue), 'INSERT')"
)


def send_in_transaction(
    session: Session,
    connection: Connection,
    transfers: Sequence[Transfer],
    app: Celery,
    *,
    is_of_whole_job: bool = False,
) -> bool:
    """Send the messages of the transfers, which commit with the session's transaction or not.

    Returns:
        Whether they are sent: the database of the session is the broker, and has the queues.
    """
    # A transaction that notifies cannot be prepared.
    if connection.dialect.name != "postgresql" or session.twophase:
        return False
    if kind_of_url(next(iter(broker_urls(app)), "")) is not POSTGRESQL:
        return False
    from artifact_pipeline.tasks.pgmq_queues import SEND  # noqa: PLC0415 - of its brokers alone
    from artifact_pipeline.tasks.pgmq_send import broker_database, rows_to_send  # noqa: PLC0415 - the same

    if connection.engine.url.database != broker_database(app):
        return False
    jobs = {each.artifact.job_id for each in transfers} if is_of_whole_job else ()
    rows = rows_to_send(transfers, app, jobs)
    queues, messages = [queue for queue, _ in rows], [message for _, message in rows]
    wanted = sorted(set(queues))
    if connection.scalar(_MAY_SEND, {"queues": wanted}) != len(wanted):
        return False
    send = text(SEND % (":queues", ":messages"))
    connection.execute(send, {"queues": queues, "messages": messages})
    return True
