"""The queues of PGMQ: their names, their statements, and the schema that holds them."""

import json
import logging
import re
import zlib
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

import psycopg
from psycopg.errors import ReadOnlySqlTransaction

logger = logging.getLogger(__name__)

_EVENTS = "celeryev."
_CONTROL = ".celery.pidbox"
"""The names of queues for events begin so, and those for remote control and its answers end so."""
_LONGEST_NAME = 47
"""Of a queue, by PGMQ."""
_READABLE = 30
_LONGEST_CHANNEL = 57
"""Of NOTIFY, without the prefix: PostgreSQL takes 63 bytes."""
_LONGEST_NOTICE = 7_900
"""Bytes; PostgreSQL refuses 8,000."""
_LARGEST_UNPACKED = 2**20
_LOCK = 5_411_728_163
"""Of installing, and of creating queues."""
SEND = """
SELECT pg_notify('pgmq.q_' || queue || '.INSERT', '')
FROM (
    SELECT queue, pgmq.send(queue, CAST(message AS jsonb))
    FROM unnest(CAST(%s AS text[]), CAST(%s AS text[])) AS given(queue, message)
) AS sent
"""
"""Sends messages, and wakes the workers. The channels are PGMQ's own."""


def is_transient(queue: str) -> bool:
    """Return whether messages of this queue are notifications, which nothing keeps."""
    return queue.startswith(_EVENTS) or queue.endswith(_CONTROL)


def table_of(queue: str) -> str:
    """Return PGMQ's name of a queue: its own, or one that no other queue has."""
    if re.fullmatch(rf"[0-9a-z_]{{1,{_LONGEST_NAME}}}", queue):
        return queue
    readable = re.sub(r"[^0-9a-z_]", "_", queue.lower())[:_READABLE]
    return f"{readable}_{_digest(queue)}"


def channel_of_queue(queue: str) -> str:
    """Return the channel of NOTIFY that says that a queue has a message."""
    return f"pgmq.q_{table_of(queue)}.INSERT"


def channel_of(name: str) -> str:
    """Return the channel of NOTIFY whose payloads are messages of an exchange or queue."""
    is_short = len(name.encode()) <= _LONGEST_CHANNEL and '"' not in name
    return f"kombu.{name}" if is_short else f"kombu.{_digest(name)}"


def _digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:16]


def packed(message: dict[str, Any]) -> str | None:
    """Return a message as the payload of a notification, or None if it is too long for one."""
    text = b64encode(zlib.compress(json.dumps(message).encode())).decode()
    if len(text) <= _LONGEST_NOTICE:
        return text
    logger.warning("a notification is too long, and is not sent: %d bytes", len(text))
    return None


def unpacked(payload: str) -> dict[str, Any] | None:
    """Return the message of a payload, or None if it is none: anyone can notify."""
    try:
        inflater = zlib.decompressobj()
        text = inflater.decompress(b64decode(payload, validate=True), _LARGEST_UNPACKED)
        message = json.loads(text)
    except (ValueError, zlib.error, RecursionError):
        return None
    has_parts = isinstance(message, dict) and isinstance(message.get("properties"), dict)
    return message if has_parts else None


def check_writes(connection: psycopg.Connection[Any]) -> None:
    """Raise an error if the server is a standby, or the user may only read."""
    if _scalar(connection, "SHOW transaction_read_only") == "on":
        raise ReadOnlySqlTransaction("the server is read only")


def install(connection: psycopg.Connection[Any]) -> None:
    """Install PGMQ where the database lacks it: the extension, or else its SQL.

    Raises:
        psycopg.Error: this user may not.
    """
    if _scalar(connection, "SELECT to_regclass('pgmq.meta')"):
        return
    with connection.transaction():
        _lock(connection)
        if _scalar(connection, "SELECT to_regclass('pgmq.meta')"):
            return
        if _scalar(connection, "SELECT 1 FROM pg_available_extensions WHERE name = 'pgmq'"):
            connection.execute("CREATE EXTENSION pgmq")
        else:
            from pgmq.install import get_embedded_install_sql  # noqa: PLC0415 - needed once

            connection.execute(get_embedded_install_sql().encode())


def create_queue(connection: psycopg.Connection[Any], table: str) -> None:
    """Create a queue, unless another process has just done so."""
    with connection.transaction():
        _lock(connection)
        if not _scalar(connection, "SELECT to_regclass(%s)", f"pgmq.q_{table}"):
            connection.execute("SELECT pgmq.create(%s)", (table,))


def _lock(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def _scalar(connection: psycopg.Connection[Any], sql: str, *params: object) -> Any:  # noqa: ANN401 - of SQL
    row = connection.execute(sql.encode(), params or None).fetchone()
    return row[0] if row else None
