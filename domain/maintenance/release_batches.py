"""The use case that turns members of running batches into transfers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.domain.ports.batches import IBatchReleases


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
        """Release what each batch allows, and return how many members had their turn."""
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
            # Publish after the commit: a worker that met a message before its row would make its
            # own row.
            self.publish(released.transfers)
            self.batches.sent(released.transfers)
        return released.turns
