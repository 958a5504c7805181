"""A bounded memory of ids."""

import threading


class RecentIds:
    """The ids that were added last. Args: `limit` is how many are remembered."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ids: dict[str, None] = {}
        self._lock = threading.Lock()

    def add(self, new: str) -> None:
        with self._lock:
            self._ids[new] = None
            if len(self._ids) > self._limit:
                del self._ids[next(iter(self._ids))]

    def __contains__(self, wanted: str) -> bool:
        return wanted in self._ids

    def __len__(self) -> int:
        return len(self._ids)
