"""Workspaces with names: their signs of life, and what of their work is left."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from artifact_pipeline.domain.errors import InvalidRequestError, WorkspaceGoneError
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.model.workspaces import NamedWorkspace
from artifact_pipeline.worker.sql.audit_trail import note_jobs
from artifact_pipeline.worker.sql.clock import read_clock, utc_now
from artifact_pipeline.worker.sql.engine import autocommit, closed_before_fork, transaction
from artifact_pipeline.worker.sql.phases import is_due, is_expired, phase_moment
from artifact_pipeline.worker.sql.tables import (
    IS_ACTIVE_OF_WORKSPACE,
    IS_QUARANTINED,
    TransferRow,
    WorkspaceRow,
)
from artifact_pipeline.worker.sql.transfers.event_log import NO_EVENTS, EventLog
from artifact_pipeline.worker.sql.transfers.state_values import failed

_PAGE = 500


@dataclass(frozen=True, slots=True)
class LeftWork:
    """What a workspace has not stored.

    Attributes:
        active: transfers that have not ended.
        quarantined: transfers that were given up since a moment.
        messages: that wait in its queues, of which SQL may know nothing yet.
    """

    active: int
    quarantined: int
    messages: int = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a worker could still do something."""
        return bool(self.active or self.messages)

    def __bool__(self) -> bool:
        return bool(self.is_waiting or self.quarantined)


class SqlNamedWorkspaces:
    """Workspaces with names, by the tables `workspaces` and `transfers`.

    Args:
        engine: of the database.
        events: writes the events of transfers that are given up.
    """

    def __init__(self, engine: Engine, events: EventLog = NO_EVENTS) -> None:
        self._engine = engine
        self._events = events

    def all(self) -> list[NamedWorkspace]:
        """Return those that have a tree or transfers, by their names."""
        return self._read(WorkspaceRow.name.is_not(None), TransferRow.workspace.is_not(None))

    def note_sign_of_life(self, name: str) -> None:
        """Note that a worker serves the workspace now. Raises: SqlUnavailableError."""
        seen = update(WorkspaceRow).where(WorkspaceRow.name == name).values(seen_at=utc_now())
        with closed_before_fork(self._engine), autocommit(self._engine) as connection:
            connection.execute(seen)

    def left(self, name: str, since: datetime) -> LeftWork:
        """Return what is left of the workspace's work.

        Args:
            name: of the workspace.
            since: from when on what was given up counts.
        """
        given_up = and_(IS_QUARANTINED, TransferRow.finished_at >= since)
        of_name = TransferRow.workspace == name
        with autocommit(self._engine) as connection:
            active = select(func.count()).where(IS_ACTIVE_OF_WORKSPACE, of_name)
            quarantined = select(func.count()).where(given_up, of_name)
            return LeftWork(
                connection.execute(active).scalar_one(),
                connection.execute(quarantined).scalar_one(),
            )

    def now(self) -> datetime:
        """Return the database's time."""
        with autocommit(self._engine) as connection:
            return read_clock(connection)

    def make_due(self, name: str) -> int:
        """Make waiting transfers of the workspace due now; return how many were not."""
        waiting = update(TransferRow).where(
            IS_ACTIVE_OF_WORKSPACE,
            TransferRow.workspace == name,
            TransferRow.state == TransferState.WAITING,
            TransferRow.next_attempt_at > utc_now(),
        )
        with autocommit(self._engine) as connection:
            return connection.execute(waiting.values(next_attempt_at=utc_now())).rowcount

    def unregister(self, name: str, workspace_id: str) -> bool:
        """Forget the tree, unless transfers of the workspace are active; return whether it did."""
        active = exists(
            select(TransferRow.id).where(IS_ACTIVE_OF_WORKSPACE, TransferRow.workspace == name)
        )
        tree = delete(WorkspaceRow).where(
            WorkspaceRow.name == name, WorkspaceRow.id == workspace_id, ~active
        )
        with autocommit(self._engine) as connection:
            return connection.execute(tree).rowcount > 0

    def check_unseen(self, name: str, grace: timedelta) -> NamedWorkspace:
        """Return the workspace, if its last sign of life is older than the grace period.

        Raises:
            InvalidRequestError: there is no such workspace, or it was seen lately.
        """
        read = self._read(WorkspaceRow.name == name, TransferRow.workspace == name)
        if not read:
            raise InvalidRequestError(f"there is no workspace {name}: artifacts workspaces list")
        [found] = read
        seen_at = found.seen_at or found.added_at
        if seen_at is not None and self.now() - seen_at < grace:
            raise InvalidRequestError(
                f"the workspace {name} had a worker at {seen_at:%Y-%m-%d %H:%M:%S} UTC, less than"
                " the grace period ago: wait, or give a shorter --grace"
            )
        return found

    def forget(self, name: str, action_id: int | None = None) -> int:
        """Quarantine the workspace's active transfers, and forget its trees.

        Args:
            name: of the workspace.
            action_id: of the audit trail.

        Returns:
            How many transfers were given up.
        """
        with transaction(self._engine) as connection:
            connection.execute(delete(WorkspaceRow).where(WorkspaceRow.name == name))
        total = 0
        while given_up := self._give_up_page(name, action_id):
            total += given_up
        return total

    def _read(
        self, of_trees: ColumnElement[bool], of_transfers: ColumnElement[bool]
    ) -> list[NamedWorkspace]:
        with autocommit(self._engine) as connection:
            found = {each.name: each for each in _registered(connection, of_trees)}
            for name, counted in _counted(connection, of_transfers):
                known = found.get(name, NamedWorkspace(name=name))
                found[name] = replace(known, **counted)
        return [found[name] for name in sorted(found)]

    def _give_up_page(self, name: str, action_id: int | None) -> int:
        # In pages, so that neither memory nor a transaction grows with what is left.
        page = (
            select(TransferRow.id)
            .where(IS_ACTIVE_OF_WORKSPACE, TransferRow.workspace == name)
            .order_by(TransferRow.id)
            .limit(_PAGE)
            .with_for_update()
        )
        given_up = (
            update(TransferRow)
            .where(TransferRow.id.in_(page))
            .values(
                state=TransferState.QUARANTINED,
                # A worker that lives after all must not write any more.
                fence=TransferRow.fence + 1,
                finished_at=utc_now(),
                **failed(WorkspaceGoneError(f"the workspace {name} was forgotten by an operator")),
            )
        )
        event = EventType.TRANSFER_QUARANTINED
        with transaction(self._engine) as connection:
            rows = self._events.end_many(connection, given_up, event)
            jobs = [row.job_id for row in rows]
            if jobs and action_id is not None:
                note_jobs(connection, action_id, jobs)
        return len(jobs)


def _registered(connection: Connection, condition: ColumnElement[bool]) -> Iterator[NamedWorkspace]:
    rows = connection.execute(
        select(WorkspaceRow.__table__)
        .where(condition)
        .order_by(WorkspaceRow.name, WorkspaceRow.added_at)
    )
    found: dict[str, NamedWorkspace] = {}
    for row in rows:
        first = NamedWorkspace(name=row.name, added_at=row.added_at, added_by=row.added_by)
        known = found.get(row.name, first)
        seen = [moment for moment in (known.seen_at, row.seen_at) if moment is not None]
        found[row.name] = replace(known, ids=(*known.ids, row.id), seen_at=max(seen, default=None))
    yield from found.values()


def _counted(
    connection: Connection, condition: ColumnElement[bool]
) -> Iterator[tuple[str, dict[str, Any]]]:
    now = read_clock(connection)
    waits = or_(is_due(now), is_expired(now))
    active = (
        select(
            TransferRow.workspace,
            func.count().label("active"),
            func.count().filter(waits).label("due"),
            func.min(phase_moment()).filter(waits).label("since"),
        )
        .where(IS_ACTIVE_OF_WORKSPACE, condition)
        .group_by(TransferRow.workspace)
    )
    for row in connection.execute(active):
        yield row.workspace, {"active": row.active, "due": row.due, "since": row.since}
    quarantined = (
        select(TransferRow.workspace, func.count())
        .where(IS_QUARANTINED, condition)
        .group_by(TransferRow.workspace)
    )
    for name, count in connection.execute(quarantined):
        yield str(name), {"quarantined": count}
