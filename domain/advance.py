"""The use case that turns members of running batches into transfers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.transfers import Transfer


class IBatchReleases(Protocol):
    def running(self) -> Sequence[int]:
        """The ids of the batches that are neither paused nor at an end, oldest first."""

    def release(
        self, batch_id: int, publish: Callable[[Sequence[Transfer]], None], limit: int
    ) -> int:
        """Request the next members in their order, and publish them, in one transaction.

        As many as the batch's rate, its share and the limit allow; none while another process is
        at the same batch. A member whose artifact is being transferred is passed over. A batch
        that has no members left, and none active, is done.

        Returns:
            How many members had their turn.
        """


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
                released = self.batches.release(batch_id, self.publish, self.page_size)
                total += released
                if released == self.page_size:
                    still_going.append(batch_id)
            going = still_going
        return total
