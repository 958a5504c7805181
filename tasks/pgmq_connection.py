"""Connections to PostgreSQL as the broker."""

from collections.abc import Generator
from time import monotonic
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

_OPTIONS = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "application_name": "artifacts broker",
}


class AnswerTimeoutError(psycopg.OperationalError):
    """The server does not answer."""


class Connection(psycopg.Connection[Any]):
    """A connection that fails if an answer takes too long: a dead peer may never close it."""

    answer_seconds = 30.0

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - psycopg's
        return super().wait(self._timed(gen), *args, **kwargs)

    def _timed(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        until = monotonic() + self.answer_seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and monotonic() > until:
                    self.pgconn.finish()
                    raise AnswerTimeoutError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value


def connect(url: str, *, connect_seconds: float, answer_seconds: float) -> Connection:
    """Return a connection in autocommit. Raises: psycopg.Error."""
    given = conninfo_to_dict(url)
    options: dict[str, Any] = {
        "connect_timeout": max(1, round(connect_seconds)),
        **{name: value for name, value in _OPTIONS.items() if name not in given},
    }
    # Prepare nothing: behind a pooler, the next transaction may meet another connection.
    connection = Connection.connect(url, autocommit=True, prepare_threshold=None, **options)
    connection.answer_seconds = answer_seconds
    return connection
