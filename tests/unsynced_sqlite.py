"""SQLite files that are not flushed to the disk: no test takes the power away."""

import sqlite3

from sqlalchemy import Engine, event


def leave_unsynced() -> None:
    """Let each connection of this process skip the flush of every commit."""
    event.listen(Engine, "connect", _switch_off)


def _switch_off(connection: object, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")
