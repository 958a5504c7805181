"""The database of a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from worker.settings import DatabaseSettings, load
from worker.sql.engine import make_engine


@contextmanager
def opened_database() -> Iterator[Engine]:
    """Open the database of the settings; its connections are closed at the end.

    Raises:
        ConfigurationError: the setting is missing or wrong.
    """
    engine = make_engine(load(DatabaseSettings).database_url)
    try:
        yield engine
    finally:
        engine.dispose()
