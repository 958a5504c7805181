"""What goes over the wire of a process, seen from within it."""

from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self
from urllib.parse import urlsplit

from psycopg.pq import Trace
from sqlalchemy import Engine, event

_OPERATIONS = {
    "PUT": "PutObject",
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "DELETE": "DeleteObject",
}
_TABLES = {"jobs", "runs", "artifacts", "transfers"}


class Requests:
    """Counts the requests of an S3 client, by their operations.

    It counts in the client's HTTP session. With a hook, each request would go through boto3, and
    none would be counted as workers send it.
    """

    def __init__(self, client: Any) -> None:
        self._seen: list[str] = []
        session = client._endpoint.http_session  # noqa: SLF001 - nothing public is below the hooks
        self._send = session.send
        session.send = self._note

    def taken(self) -> list[str]:
        """Return the operations since the last call."""
        seen, self._seen = self._seen, []
        return seen

    def _note(self, request: Any) -> Any:
        self._seen.append(operation_of(request.method, request.url))
        return self._send(request)


def operation_of(method: str, url: str) -> str:
    """Return the name of a request for a whole object; of others, their method and query."""
    query = urlsplit(url).query
    return f"{method} ?{query}" if query else _OPERATIONS.get(method, method)


class Statements:
    """Counts the statements of an engine, by their verbs and tables."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.seen: list[str] = []

    def __enter__(self) -> Self:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_error: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        words = statement.split()
        table = next((word for word in words if word in _TABLES), "")
        self.seen.append(f"{words[0]} {table}".strip())


class RoundTrips:
    """How often an engine waits for PostgreSQL, as libpq sees it: BEGIN and COMMIT included."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        self._written = NamedTemporaryFile("ab")
        # A place of its own: the connections continue where the last one of them has written.
        self._trace = Path(self._written.name).open("rb")
        self._engine.dispose()  # what is connected already would be missed
        event.listen(self._engine, "connect", self._follow)
        return self

    def __exit__(self, *_error: object) -> None:
        event.remove(self._engine, "connect", self._follow)
        self._engine.dispose()
        self._trace.close()
        self._written.close()

    def taken(self) -> int:
        """Since this was asked last."""
        return self._trace.read().count(b"ReadyForQuery")

    def _follow(self, connection: Any, _record: Any) -> None:
        connection.pgconn.trace(self._written.fileno())
        connection.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
