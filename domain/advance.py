"""The use case that turns members of running batches into transfers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.transfers import Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Attributes: `turns` counts the members that were passed over as well."""

    turns: int = 0
    transfers: Sequence[Transfer] = ()


class IBatchReleases(Protocol):
    def running(self) -> Sequence[int]:
        """The ids of the batches that are neither paused nor at an end, oldest first."""

    def release(self, batch_id: int, limit: int) -> Released:
        """Request the next members in their order, in one transaction.

        As many as the batch's rate, its share and the limit allow; none while another process is
        at the same batch. A member whose artifact is being transferred is passed over. A batch
        that has no members left, and none active, is done.
        """

    def sent(self, transfers: Sequence[Transfer]) -> None:
        """Their messages have left. Of those that are not marked so the sweep takes care."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceBatches:
    """A page of each batch in turn, so that none waits for another's million.

    Attributes:
        has_room: whether their queue takes more; asked before each page.
    """

    batches: IBatchReleases
    publish: Callable[[Sequence[Transfer]], None]
    has_room: Callable[[], bool]
    page_size: int

    def __call__(self) -> int:
        """How many members had their turn."""
        total, going = 0, list(self.batches.running())
        while going:
            still_going = []
            for batch_id in going:
                if not self.has_room():
                    return total
                turns = self._page_of(batch_id)
                total += turns
                if turns == self.page_size:
                    still_going.append(batch_id)
            going = still_going
        return total

    def _page_of(self, batch_id: int) -> int:
        released = self.batches.release(batch_id, self.page_size)
        if released.transfers:
            # After the commit: a worker that met a message before its row would make its own.
            self.publish(released.transfers)
            self.batches.sent(released.transfers)
        return released.turns
