"""Lists of transfers across jobs."""

from datetime import timedelta

from artifact_pipeline.domain.model.transfer_filter import TransferFilter
from artifact_pipeline.domain.model.transfers import ACTIVE_STATES
from artifact_pipeline.worker.sql.transfers.lists import list_transfers
from artifact_pipeline.worker.web.api.models.transfers import TransfersPage, TransfersQuery
from artifact_pipeline.worker.web.reads.transfers import transfer_node
from artifact_pipeline.worker.web.sources import Sources
from artifact_pipeline.worker.web.threads import Threads


class TransferLists:
    """Transfers, as SQL has them."""

    def __init__(self, sources: Sources, threads: Threads) -> None:
        self._sources = sources
        self._threads = threads

    async def page(self, query: TransfersQuery) -> TransfersPage:
        """Return a page of transfers. Raises: SqlUnavailableError."""
        return await self._threads.run(self._page, query)

    def _page(self, query: TransfersQuery) -> TransfersPage:
        sources = self._sources
        # One more than is shown tells whether more exist.
        found = list_transfers(
            sources.engine,
            _filter(query),
            limit=query.limit + 1,
            before=query.before,
            phase=query.phase,
        )
        now = sources.adapters.transfers.now()
        shown = found[: query.limit]
        return TransfersPage(
            at=now,
            transfers=[transfer_node(each, now) for each in shown],
            next=shown[-1].id if len(found) > query.limit else None,
        )


def _filter(query: TransfersQuery) -> TransferFilter:
    within = query.ended_within
    active = ACTIVE_STATES if query.active else ()
    return TransferFilter(
        states=frozenset({query.state} if query.state else active),
        kinds=frozenset({query.kind} if query.kind else ()),
        directions=frozenset({query.direction} if query.direction else ()),
        reasons=frozenset({query.reason} if query.reason else ()),
        queue=query.queue,
        requested_by=query.requested_by,
        ended_within=None if within is None else timedelta(seconds=within),
    )
