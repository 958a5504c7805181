"""The quarantine: its groups, and what is done with one after its count was shown."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from artifact_pipeline.domain.catalog.audited import AuditedAction
from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.maintenance.runbook import runbook
from artifact_pipeline.domain.model.operator_actions import ActionName
from artifact_pipeline.domain.model.quarantine import RetrySummary
from artifact_pipeline.domain.model.selection import Selection
from artifact_pipeline.worker.sql.transfers.quarantine_pages import (
    QuarantinedGroup,
    QuarantinePlace,
    SqlQuarantinePages,
)
from artifact_pipeline.worker.web.access.csrf import Signer
from artifact_pipeline.worker.web.access.users import User
from artifact_pipeline.worker.web.actions import Actions, Ended
from artifact_pipeline.worker.web.api.models.quarantine import (
    Quarantine,
    QuarantineAction,
    QuarantinedPage,
    QuarantineGroup,
    QuarantineOutcome,
    QuarantineQuery,
    QuarantineSelection,
    SelectionQuery,
)
from artifact_pipeline.worker.web.errors import ChangedError
from artifact_pipeline.worker.web.reads.transfers import transfer_node
from artifact_pipeline.worker.web.selections import ShownSelection
from artifact_pipeline.worker.web.shared_read import SharedRead
from artifact_pipeline.worker.web.sources import Sources
from artifact_pipeline.worker.web.threads import Threads

_MOST_COUNTED = 2_000
"""Transfers of a selection up to which the superseded ones are counted, each by an index."""
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


class QuarantineService:
    """The quarantined transfers."""

    def __init__(
        self, sources: Sources, threads: Threads, actions: Actions, signer: Signer
    ) -> None:
        self._sources = sources
        self._threads = threads
        self._actions = actions
        self._signer = signer
        self._groups = SharedRead(lambda: threads.run(self._read_groups))

    async def groups(self) -> Quarantine:
        """Return all groups. Raises: SqlUnavailableError."""
        return await self._groups.get()

    async def page(self, query: QuarantineQuery) -> QuarantinedPage:
        """Return a page of transfers. Raises: SqlUnavailableError."""
        return await self._threads.run(self._page, query)

    async def selection(self, query: SelectionQuery, user: User) -> QuarantineSelection:
        """Count what an action would change, and return the token that the action needs.

        Raises:
            InvalidRequestError: no criterion is given.
            SqlUnavailableError: the database does not answer.
        """
        return await self._threads.run(self._select, query, user)

    async def retry(self, action: QuarantineAction, user: User) -> QuarantineOutcome:
        """Have the transfers of a selection tried again.

        Raises:
            ChangedError: the selection is not what was shown any more.
            ForbiddenError, InvalidRequestError, SqlUnavailableError: as `Actions.carry_out`.
        """

        def do(running: AuditedAction) -> RetrySummary:
            shown = self._checked(action, user)
            summary = self._sources.adapters.quarantine.retry(shown.filters, running.id)
            running.came_to(f"{summary.retried} are tried again, {summary.superseded} left")
            return summary

        ended = await self._carry_out(ActionName.QUARANTINE_RETRY, do, action, user)
        return _outcome(ended)

    async def discard(self, action: QuarantineAction, user: User) -> QuarantineOutcome:
        """Cancel the transfers of a selection for good. Raises: as `retry`."""

        def do(running: AuditedAction) -> RetrySummary:
            shown = self._checked(action, user)
            count = self._sources.adapters.quarantine.discard(shown.filters, running.id)
            running.came_to(f"{count} are discarded")
            return RetrySummary(retried=count)

        ended = await self._carry_out(ActionName.QUARANTINE_DISCARD, do, action, user)
        return _outcome(ended)

    async def _carry_out(
        self,
        name: ActionName,
        do: Callable[[AuditedAction], RetrySummary],
        action: QuarantineAction,
        user: User,
    ) -> Ended[RetrySummary]:
        shown = await self._threads.run(self._parsed, action, user)
        target = shown.filters.model_dump(mode="json", exclude_defaults=True)
        ended = await self._actions.carry_out(
            name, do, user=user, reason=action.reason, target=target
        )
        self._groups.forget()
        return ended

    def _read_groups(self) -> Quarantine:
        now, groups = SqlQuarantinePages(self._sources.engine).groups()
        return Quarantine(
            at=now,
            transfers=sum(each.transfers for each in groups),
            groups=[_group(each, now) for each in groups],
        )

    def _page(self, query: QuarantineQuery) -> QuarantinedPage:
        found = SqlQuarantinePages(self._sources.engine).page(
            reason=query.reason,
            kind=query.kind,
            job_id=query.job_id,
            before=None if query.before is None else _place(query.before),
            limit=query.limit,
        )
        now = self._sources.adapters.transfers.now()
        return QuarantinedPage(
            transfers=[transfer_node(each, now) for each in found.transfers],
            next=None if found.next is None else _cursor(found.next),
        )

    def _select(self, query: SelectionQuery, user: User) -> QuarantineSelection:
        at = self._sources.adapters.transfers.now()
        filters = Selection(
            reasons=() if query.reason is None else (query.reason,),
            kinds=() if query.kind is None else (query.kind,),
            job_ids=() if query.job_id is None else (query.job_id,),
        )
        if filters.is_empty:
            raise InvalidRequestError("give a reason, a kind or a job: nothing selects all")
        # Transfers that fail from now on were not shown, so no action changes them.
        bounded = filters.model_copy(update={"failed_before": at})
        quarantine = self._sources.adapters.quarantine
        count = quarantine.count(bounded)
        is_counted = count <= _MOST_COUNTED
        return QuarantineSelection(
            at=at,
            transfers=count,
            superseded=quarantine.preview(bounded).superseded if is_counted else None,
            token=ShownSelection(bounded, count, at).token(self._signer, user.name),
        )

    def _parsed(self, action: QuarantineAction, user: User) -> ShownSelection:
        now = self._sources.adapters.transfers.now()
        return ShownSelection.of(action.token, self._signer, user.name, now)

    def _checked(self, action: QuarantineAction, user: User) -> ShownSelection:
        shown = self._parsed(action, user)
        count = self._sources.adapters.quarantine.count(shown.filters)
        if not count == shown.count == action.count:
            raise ChangedError(
                f"{action.count:,} transfers were shown, and {count:,} of them are in quarantine"
                " now. Look again"
            )
        return shown


def _group(group: QuarantinedGroup, now: datetime) -> QuarantineGroup:
    entry = runbook(group.reason)
    return QuarantineGroup(
        reason=group.reason,
        transfers=group.transfers,
        last_hour=group.recent,
        first_at=group.first_at,
        last_at=group.last_at,
        is_permanent=entry.is_permanent,
        meaning=entry.meaning,
        runbook=entry.fix,
        examples=[transfer_node(each, now) for each in group.examples],
    )


def _outcome(ended: Ended[RetrySummary]) -> QuarantineOutcome:
    summary = ended.result
    if summary is None:
        return QuarantineOutcome(action_id=ended.action_id, is_running=True)
    return QuarantineOutcome(
        action_id=ended.action_id, changed=summary.retried, superseded=summary.superseded
    )


def _cursor(place: QuarantinePlace) -> str:
    return f"{(place.finished_at - _EPOCH) // _MICROSECOND}-{place.id}"


def _place(cursor: str) -> QuarantinePlace:
    moment, _, transfer_id = cursor.partition("-")
    try:
        at = _EPOCH + int(moment) * _MICROSECOND
    except OverflowError:
        raise InvalidRequestError(f"before: {cursor!r} is no place in the list") from None
    return QuarantinePlace(at, int(transfer_id))
