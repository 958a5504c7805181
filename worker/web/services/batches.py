"""Batches: previews, progress, members and actions."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import cached_property
from typing import TypeVar

from artifact_pipeline.domain.catalog.audited import AuditedAction
from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.batches import (
    MAX_IN_FLIGHT,
    BatchProgress,
)
from artifact_pipeline.domain.model.batches import Batch as DomainBatch
from artifact_pipeline.domain.model.operator_actions import ActionName
from artifact_pipeline.domain.model.release_windows import ReleaseWindow
from artifact_pipeline.worker.composition.batch_report import ReportFormat, report_lines
from artifact_pipeline.worker.composition.batches import Batches, batches_of
from artifact_pipeline.worker.sql.batches.members import read_members
from artifact_pipeline.worker.sql.batches.snapshots import Parts, SqlBatchSnapshots
from artifact_pipeline.worker.web.access.users import User
from artifact_pipeline.worker.web.actions import Actions
from artifact_pipeline.worker.web.api.models.batches import (
    ActOnBatch,
    Batch,
    BatchesPage,
    BatchesQuery,
    BatchMember,
    BatchMembers,
    BatchPreview,
    BatchRow,
    CancelledBatch,
    ChangeBatch,
    MembersQuery,
    NewBatch,
    StartBatch,
)
from artifact_pipeline.worker.web.api.models.system import Role
from artifact_pipeline.worker.web.errors import BusyError
from artifact_pipeline.worker.web.services.batch_answers import (
    batch_row,
    preview_answer,
    progress_answer,
)
from artifact_pipeline.worker.web.shared_read import SharedRead
from artifact_pipeline.worker.web.sources import Sources
from artifact_pipeline.worker.web.threads import Threads

_SEARCHED = 500
"""Members that one page of a search looks at."""
_COUNTED = 100
"""Batches whose counts are kept."""
_PATIENCE_SECONDS = 0.08
_FREEZING_SECONDS = 30.0
_NEWEST = BatchesQuery()
_ALL = MembersQuery()

T = TypeVar("T")


class BatchService:
    """Batches in SQL."""

    def __init__(self, sources: Sources, threads: Threads, actions: Actions) -> None:
        self._sources = sources
        self._threads = threads
        self._actions = actions
        self._counts: OrderedDict[int, SharedRead[BatchProgress]] = OrderedDict()
        self._previews: OrderedDict[int, SharedRead[BatchPreview]] = OrderedDict()

    async def page(self, query: BatchesQuery = _NEWEST) -> BatchesPage:
        """Return a page of batches. Raises: SqlUnavailableError."""
        found = await self._threads.run(self._batches.newest, query.limit + 1, before=query.before)
        shown = found[: query.limit]
        is_end = len(found) <= query.limit
        return BatchesPage(
            batches=[batch_row(each) for each in shown], next=None if is_end else shown[-1].id
        )

    async def get(self, batch_id: int) -> Batch:
        """Return a batch with its progress, unless counting that takes longer.

        Raises:
            NotFoundError: there is no such batch.
            SqlUnavailableError: the database does not answer.
        """
        batch = await self._threads.run(self._batches.get, batch_id)
        counted = await self._count(batch_id)
        progress = None if batch.mode is None or counted is None else progress_answer(counted)
        return Batch(**batch_row(batch).model_dump(), progress=progress)

    async def members(self, batch_id: int, query: MembersQuery = _ALL) -> BatchMembers:
        """Return a page of members. Raises: as `get`."""
        return await self._threads.run(self._members, batch_id, query)

    async def preview_of(self, batch_id: int) -> BatchPreview:
        """Return what a snapshot has frozen. Raises: as `get`; BusyError: it is being counted."""
        reads = _kept(
            self._previews, batch_id, lambda: self._threads.run(self._preview_of, batch_id)
        )
        found = await reads.get_within(_FREEZING_SECONDS)
        if found is None:
            raise BusyError(f"the members of batch {batch_id} are still being counted")
        return found

    async def report(self, batch_id: int) -> Iterator[str]:
        """Return a line for each member, as CSV. Raises: as `get`."""
        await self._threads.run(self._batches.get, batch_id)
        return report_lines(self._batches.members(batch_id), ReportFormat.CSV)

    async def preview(self, new: NewBatch, user: User) -> BatchPreview:
        """Freeze what fits a filter. No transfer is changed.

        Raises:
            ForbiddenError: the user may only read.
            BusyError: it takes long; the list of batches will have the snapshot.
        """
        user.require(Role.OPERATOR)
        freezing = asyncio.ensure_future(self._threads.run(self._freeze, new, user))
        done, _ = await asyncio.wait({freezing}, timeout=_FREEZING_SECONDS)
        if not done:
            raise BusyError("many artifacts fit: the list of batches will have the snapshot")
        return freezing.result()

    async def start(self, batch_id: int, request: StartBatch, user: User) -> BatchRow:
        """Have the members of a snapshot transferred.

        The entry in the audit trail ends in the transaction of the start.

        Raises: as `Actions.carry_out`; NotFoundError, InvalidRequestError: as `Batches.start`.
        """
        asked = request.model_dump(mode="json", exclude={"reason"}, exclude_defaults=True)

        def do(running: AuditedAction) -> DomainBatch:
            return self._batches.start(
                batch_id,
                requested_by=user.name,
                reason=request.reason,
                mode=request.mode,
                rate=request.rate,
                max_in_flight=request.max_in_flight or MAX_IN_FLIGHT,
                is_forced=request.is_forced,
                bytes_per_second=request.bytes_per_second or None,
                between=ReleaseWindow.given(request.between, request.timezone),
                priority=request.priority,
                action_id=running.id,
                notify=self._target(request.notify) if request.notify else None,
            )

        return await self._act(
            ActionName.BATCH_START, batch_id, do, request=request, user=user, target=asked
        )

    async def pause(self, batch_id: int, request: ActOnBatch, user: User) -> BatchRow:
        """Stop releasing members. Raises: as `Actions.carry_out`; NotFoundError."""
        return await self._act(
            ActionName.BATCH_PAUSE,
            batch_id,
            lambda _running: self._batches.pause(batch_id),
            request=request,
            user=user,
        )

    async def resume(self, batch_id: int, request: ActOnBatch, user: User) -> BatchRow:
        """Continue a paused batch. Raises: as `pause`."""
        return await self._act(
            ActionName.BATCH_RESUME,
            batch_id,
            lambda _running: self._batches.resume(batch_id),
            request=request,
            user=user,
        )

    async def change(self, batch_id: int, request: ChangeBatch, user: User) -> BatchRow:
        """Change the pace. Raises: as `pause`."""
        pace = request.model_dump(mode="json", exclude={"reason"}, exclude_none=True)

        def do(_running: AuditedAction) -> DomainBatch:
            return self._batches.change(
                batch_id,
                rate=request.rate,
                max_in_flight=request.max_in_flight,
                bytes_per_second=request.bytes_per_second,
                between=ReleaseWindow.given(request.between, request.timezone),
                priority=request.priority,
            )

        return await self._act(
            ActionName.BATCH_CHANGE, batch_id, do, request=request, user=user, target=pace
        )

    async def cancel(self, batch_id: int, request: ActOnBatch, user: User) -> CancelledBatch:
        """End a batch, and stop its transfers. Raises: as `pause`."""

        def do(running: AuditedAction) -> int:
            cancelled = self._batches.cancel(batch_id)
            running.came_to(f"{cancelled} were under way")
            return cancelled

        ended = await self._actions.carry_out(
            ActionName.BATCH_CANCEL, do, user=user, reason=request.reason, batch_id=batch_id
        )
        batch = await self._threads.run(self._batches.get, batch_id)
        return CancelledBatch(
            batch=batch_row(batch),
            action_id=ended.action_id,
            is_running=ended.result is None,
            under_way=ended.result,
        )

    @cached_property
    def _batches(self) -> Batches:
        return batches_of(self._sources.settings, self._sources.engine, app=self._sources.broker)

    @property
    def _parts(self) -> Parts:
        settings = self._sources.settings
        return Parts(settings.multipart_threshold, settings.part_size)

    def _target(self, name: str) -> str:
        """Return the name of a target of events. Raises: InvalidRequestError: there is none."""
        settings = self._sources.settings
        known = list(settings.addresses) if settings.events else []
        if name not in known:
            raise InvalidRequestError(
                f"notify {name}: no target of events has this name."
                f" Targets: {', '.join(known) or 'none'}"
            )
        return name

    async def _act(  # noqa: PLR0913 - what is done, to what, and by whom
        self,
        name: ActionName,
        batch_id: int,
        do: Callable[[AuditedAction], DomainBatch],
        *,
        request: ActOnBatch | ChangeBatch | StartBatch,
        user: User,
        target: dict[str, object] | None = None,
    ) -> BatchRow:
        ended = await self._actions.carry_out(
            name,
            do,
            user=user,
            reason=request.reason,
            batch_id=batch_id,
            target=target,
        )
        if ended.result is not None:
            return batch_row(ended.result)
        return batch_row(await self._threads.run(self._batches.get, batch_id))

    async def _count(self, batch_id: int) -> BatchProgress | None:
        reads = _kept(
            self._counts, batch_id, lambda: self._threads.run(self._batches.progress, batch_id)
        )
        return await reads.get_within(_PATIENCE_SECONDS)

    def _members(self, batch_id: int, query: MembersQuery) -> BatchMembers:
        batch = self._batches.get(batch_id)
        looked_at = query.limit + 1 if query.outcome is None else _SEARCHED
        found = read_members(self._sources.engine, batch, after=query.after, limit=looked_at)
        fitting = [each for each in found if query.outcome in (None, each[1].outcome)]
        shown = fitting[: query.limit]
        is_end = len(found) < looked_at and len(fitting) <= query.limit
        last = shown if len(fitting) > query.limit else found
        return BatchMembers(
            members=[BatchMember(position=position, member=member) for position, member in shown],
            next=None if is_end else last[-1][0],
        )

    def _freeze(self, new: NewBatch, user: User) -> BatchPreview:
        preview = self._batches.preview(
            new.filter,
            requested_by=user.name,
            expires_in=timedelta(hours=new.expires_hours),
        )
        return preview_answer(preview)

    def _preview_of(self, batch_id: int) -> BatchPreview:
        return preview_answer(
            SqlBatchSnapshots(self._sources.engine, self._parts).preview(batch_id)
        )


def _kept(
    reads: "OrderedDict[int, SharedRead[T]]", key: int, read: Callable[[], Awaitable[T]]
) -> "SharedRead[T]":
    """Return the shared read of a batch; those that were asked for last are kept."""
    found = reads.setdefault(key, SharedRead(read))
    reads.move_to_end(key)
    while len(reads) > _COUNTED:
        reads.popitem(last=False)
    return found
