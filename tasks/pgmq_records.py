"""The pipeline's records in PostgreSQL: queues of PGMQ that begin with `artifacts_`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from artifact_pipeline.tasks.dead_letters import MOST, DeadLetter, letter_fields, parsed_letter
from artifact_pipeline.tasks.lasting_records import LastingRecords
from artifact_pipeline.tasks.moments import moment_of
from artifact_pipeline.tasks.pgmq_queues import check_writes

DEAD_LETTERS = "artifacts_dead_letters"
_NOTES = "artifacts_notes"
_DISPATCHED = "dispatched_at"
_NOTE = "message->>'name' = %s"
_TRIM = f"""
DELETE FROM pgmq.q_{DEAD_LETTERS}
WHERE msg_id <= (SELECT max(msg_id) FROM pgmq.q_{DEAD_LETTERS}) - {MOST}
"""  # noqa: S608 - a constant
_LETTERS = f"""
SELECT msg_id, floor(extract(epoch FROM enqueued_at))::bigint::text, message->>'fields'
FROM pgmq.q_{DEAD_LETTERS} ORDER BY msg_id DESC LIMIT %s
"""  # noqa: S608 - the same


class PgmqRecords(LastingRecords):
    """The records, by the statements of a channel's connection."""

    def __init__(self, channel: Any) -> None:  # noqa: ANN401 - of kombu
        self._channel = channel
        self._connection = channel.connection

    def check_writes(self) -> None:
        """Send a message to an own queue, and take it back. Raises: psycopg.Error."""
        self.check_removals()
        self._note("probe", "")

    def check_removals(self) -> None:
        check_writes(self._connection.statements)

    def depth(self, queue: str) -> int:
        depth: int = self._channel._size(queue)  # noqa: SLF001 - kombu's `queue_declare` calls it
        return depth

    def forget(self, queue: str) -> None:
        self._channel._delete(queue)  # noqa: SLF001 - kombu's `queue_delete` calls it

    def note_dispatch(self, at: datetime) -> None:
        self._note(_DISPATCHED, at.isoformat())

    def last_dispatch(self) -> datetime | None:
        for _at, text in self._noted(_DISPATCHED):
            return moment_of(text.encode())
        return None

    def take_turn(self, task: str, pause: timedelta) -> bool:
        """Tell it by the server's clock, and not by this worker's.

        A moment in the future, as after that clock was set back, counts for nothing.
        """
        for age, _text in self._noted(task):
            if timedelta(0) <= age < pause:
                return False
        self._note(task, "")
        return True

    def count_letters(self) -> int:
        if not self._connection.has(DEAD_LETTERS):
            return 0
        [(count,)] = self._connection.execute(f"SELECT count(*) FROM pgmq.q_{DEAD_LETTERS}")  # noqa: S608 - a constant
        return int(count)

    def letters(self, limit: int) -> list[DeadLetter]:
        return [letter for _number, letter in self._letters(limit)]

    def discard_letters(self, is_discarded: Callable[[DeadLetter], bool]) -> int:
        found = [number for number, letter in self._letters(MOST) if is_discarded(letter)]
        sql = "SELECT pgmq.delete(%s, %s::bigint[])"
        return len(self._connection.execute(sql, DEAD_LETTERS, found)) if found else 0

    def now(self) -> datetime:
        [(now,)] = self._connection.execute("SELECT clock_timestamp()")
        return datetime.fromtimestamp(now.timestamp(), UTC)

    def _letters(self, limit: int) -> list[tuple[int, DeadLetter]]:
        if not self._connection.has(DEAD_LETTERS):
            return []
        rows = self._connection.execute(_LETTERS, limit)
        parsed = [
            (number, parsed_letter(at.encode(), (fields or "").encode()))
            for number, at, fields in rows
        ]
        return [(number, letter) for number, letter in parsed if letter is not None]

    def _noted(self, name: str) -> list[tuple[timedelta, str]]:
        """Return the last note of this name, with its age."""
        if not self._connection.has(_NOTES):
            return []
        columns = "clock_timestamp() - enqueued_at, message->>'text'"
        sql = f"SELECT {columns} FROM pgmq.q_{_NOTES} WHERE {_NOTE} ORDER BY msg_id DESC LIMIT 1"  # noqa: S608 - constants
        found: list[tuple[timedelta, str]] = self._connection.execute(sql, name)
        return found

    def _note(self, name: str, text: str) -> None:
        """Replace the notes of this name, in one statement."""
        self._connection.create(_NOTES)
        note = json.dumps({"name": name, "text": text})
        sql = f"WITH old AS (DELETE FROM pgmq.q_{_NOTES} WHERE {_NOTE})"  # noqa: S608 - constants
        self._connection.execute(f"{sql} SELECT pgmq.send(%s, %s::jsonb)", name, _NOTES, note)


def keep_letter(connection: Any, queue: str, element: bytes, reason: str) -> None:  # noqa: ANN401 - our transport
    """Note a message that is refused, and drop the oldest notes. Raises: psycopg.Error."""
    connection.create(DEAD_LETTERS)
    fields = json.dumps(letter_fields(queue, element, reason))
    message = json.dumps({"fields": fields})
    connection.execute("SELECT pgmq.send(%s, %s::jsonb)", DEAD_LETTERS, message)
    connection.execute(_TRIM)
