"""A bounded memory of requests."""

import threading
from typing import Generic, TypeVar

Note = TypeVar("Note")


class RecentRequests(Generic[Note]):
    """A note for each of the last requests, by their ids.

    A client may use an id again for another artifact. Then the later note counts, so a note must
    say what it is about.

    Args:
        limit: how many requests are remembered.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._notes: dict[str, Note] = {}
        self._lock = threading.Lock()

    def note(self, request_id: str, note: Note) -> None:
        """Remember a request."""
        with self._lock:
            self._notes[request_id] = note
            if len(self._notes) > self._limit:
                del self._notes[next(iter(self._notes))]

    def get(self, request_id: str) -> Note | None:
        """Return the note of a request; None if it is not remembered."""
        return self._notes.get(request_id)

    def __len__(self) -> int:
        return len(self._notes)
