"""What goes over the wire of a process, seen from within it."""

from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from psycopg.pq import Trace
from sqlalchemy import Engine, event

_TABLES = {"jobs", "runs", "artifacts", "transfers"}


class Requests:
    """Counts the requests of an S3 client, by their operations."""

    def __init__(self, client: Any) -> None:
        self._seen: list[str] = []
        client.meta.events.register("before-send.s3", self._note)

    def taken(self) -> list[str]:
        """What was seen since this was asked last."""
        seen, self._seen = self._seen, []
        return [name.removeprefix("before-send.s3.") for name in seen]

    def _note(self, event_name: str, **_: Any) -> None:
        self._seen.append(event_name)


class Statements:
    """Counts the statements of an engine, by their verbs and tables."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.seen: list[str] = []

    def __enter__(self) -> Self:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        words = statement.split()
        table = next((word for word in words if word in _TABLES), "")
        self.seen.append(f"{words[0]} {table}".strip())


class RoundTrips:
    """How often an engine waits for PostgreSQL, as libpq sees it: BEGIN and COMMIT included."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._read = 0

    def __enter__(self) -> Self:
        self._trace = TemporaryFile()
        self._engine.dispose()  # what is connected already would be missed
        event.listen(self._engine, "connect", self._follow)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        event.remove(self._engine, "connect", self._follow)
        self._engine.dispose()
        self._trace.close()

    def taken(self) -> int:
        """Since this was asked last."""
        self._trace.seek(self._read)
        new = self._trace.read()
        self._read += len(new)
        return new.count(b"ReadyForQuery")

    def _follow(self, connection: Any, _record: Any) -> None:
        connection.pgconn.trace(self._trace.fileno())
        connection.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
