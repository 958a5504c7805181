"""What a database knows of workspaces, in memory."""

import threading
from dataclasses import dataclass, field


@dataclass
class InMemoryWorkspaces:
    """Attributes: `has_table` is whether the database is new enough to know any."""

    ids: set[str] = field(default_factory=set)
    has_table: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def known(self) -> frozenset[str] | None:
        return frozenset(self.ids) if self.has_table else None

    def add_first(self, workspace_id: str) -> None:
        with self._lock:
            self.ids = self.ids or {workspace_id}
