"""The use case that turns members of running batches into transfers."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.domain.ports.batches import IBatchReleases

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceBatches:
    """A page of each batch in turn, so that none waits for another's million.

    Batches of a lower priority follow when no batch of a higher priority may release more.

    Attributes:
        has_room: whether their queue takes more; asked before each page.
    """

    batches: IBatchReleases
    publish: Callable[[Sequence[Transfer]], None]
    has_room: Callable[[], bool]
    page_size: int

    def __call__(self) -> int:
        """Release what each batch allows, and return how many members had their turn."""
        total = 0
        for going in self.batches.running():
            turns, has_room = self._advance(going)
            total += turns
            if not has_room:
                break
        return total

    def _advance(self, going: Sequence[int]) -> tuple[int, bool]:
        """Release pages of batches in turn; return the members, and whether the queue has room."""
        total = 0
        while going:
            still_going = []
            for batch_id in going:
                if not self.has_room():
                    return total, False
                turns = self._page_of(batch_id)
                total += turns
                if turns == self.page_size:
                    still_going.append(batch_id)
            going = still_going
        return total, True

    def _page_of(self, batch_id: int) -> int:
        try:
            released = self.batches.release(batch_id, self.page_size)
        except InvalidRequestError as error:
            # One batch with a time zone that is not known here must not hold up the others.
            logger.error("batch %d: nothing is released: %s", batch_id, error)  # noqa: TRY400 - the error is of one line
            return 0
        if released.transfers:
            # Publish after the commit: a worker that met a message before its row would make its
            # own row.
            self.publish(released.transfers)
            self.batches.sent(released.transfers)
        return released.turns
