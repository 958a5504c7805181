"""How far the periodic audit is: the one row of the table `audit_progress`."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, update

from artifact_pipeline.domain.model.audit_cursor import AuditClaim, AuditCursor
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import Bind, autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.tables import AuditProgressRow

_ROW = 1
_IS_ROW = AuditProgressRow.id == _ROW


class SqlAuditProgress:
    """The progress of the periodic audit, in SQL."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def begin(self, lease: timedelta, pause: timedelta) -> AuditClaim | None:
        with transaction(self._bind) as connection:
            _insert(connection)
            row = connection.execute(_locked(pause)).one()
            if row.is_leased or (row.cursor is None and row.is_early):
                return None
            values: dict[str, Any] = {"fence": row.fence + 1, "leased_until": utc_now(lease)}
            cursor = AuditCursor() if row.cursor is None else AuditCursor.load(row.cursor)
            if row.cursor is None:
                values |= {"cursor": cursor.dump(), "counts": {}, "started_at": utc_now()}
            connection.execute(update(AuditProgressRow).where(_IS_ROW).values(values))
        return AuditClaim(cursor, row.fence + 1)

    def keep(self, claim: AuditClaim, lease: timedelta) -> bool:
        cursor = claim.cursor
        return self._note(
            claim,
            cursor=cursor.dump(),
            counts=dict(cursor.counts),
            leased_until=utc_now(lease),
        )

    def release(self, claim: AuditClaim) -> None:
        self._note(claim, leased_until=None)

    def finish(self, claim: AuditClaim) -> None:
        counts = dict(claim.cursor.counts)
        self._note(
            claim,
            cursor=None,
            counts=counts,
            result=counts,
            leased_until=None,
            finished_at=utc_now(),
        )

    def _note(self, claim: AuditClaim, **values: Any) -> bool:  # noqa: ANN401 - of any column
        own = update(AuditProgressRow).where(_IS_ROW, AuditProgressRow.fence == claim.fence)
        with autocommit(self._bind) as connection:
            return bool(connection.execute(own.values(values)).rowcount)


def _insert(connection: Connection) -> None:
    row = insert_into(connection.dialect.name, AuditProgressRow).values(id=_ROW, fence=0)
    connection.execute(row.on_conflict_do_nothing())


def _locked(pause: timedelta) -> Any:  # noqa: ANN401 - a SELECT of several types
    now: datetime | Any = utc_now()
    is_leased = func.coalesce(AuditProgressRow.leased_until > now, False)
    is_early = func.coalesce(AuditProgressRow.started_at > utc_now(-pause), False)
    return (
        select(
            *(AuditProgressRow.cursor, AuditProgressRow.fence),
            is_leased.label("is_leased"),
            is_early.label("is_early"),
        )
        .where(_IS_ROW)
        .with_for_update()
    )
