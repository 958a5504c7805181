"""The quarantine in groups and pages: each statement reads a bounded number of rows, or counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select

from artifact_pipeline.domain.maintenance.pipeline_status import RECENT_FAILURES
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.domain.reasons import ReasonCode, reason_of
from artifact_pipeline.worker.sql.clock import read_clock
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.mapping import readable
from artifact_pipeline.worker.sql.tables import IS_QUARANTINED, TransferRow

_SEARCHED = 2_000
"""Transfers that one page of a search looks at."""
_TABLE = TransferRow.__table__


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedGroup:
    """Quarantined transfers with one reason. Attributes: `examples` the newest and the oldest."""

    reason: ReasonCode
    transfers: int
    recent: int
    first_at: datetime
    last_at: datetime
    examples: Sequence[Transfer]


@dataclass(frozen=True, slots=True)
class QuarantinePlace:
    """The place of a transfer in the list of the quarantine."""

    finished_at: datetime
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinePage:
    """A page. Attributes: `next` is where the next page begins; None at the end."""

    transfers: Sequence[Transfer]
    next: QuarantinePlace | None


class SqlQuarantinePages:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def groups(self) -> tuple[datetime, list[QuarantinedGroup]]:
        """Return the time by the database's clock, and the groups, the largest first."""
        with autocommit(self._engine) as connection:
            now = read_clock(connection)
            is_recent = TransferRow.finished_at > now - RECENT_FAILURES
            grouped = (
                select(
                    TransferRow.reason_code,
                    func.count().label("transfers"),
                    func.count().filter(is_recent).label("recent"),
                    func.min(TransferRow.finished_at).label("first_at"),
                    func.max(TransferRow.finished_at).label("last_at"),
                    func.min(TransferRow.id).label("first"),
                    func.max(TransferRow.id).label("last"),
                )
                .where(IS_QUARANTINED)
                .group_by(TransferRow.reason_code)
                .order_by(func.count().desc(), TransferRow.reason_code)
            )
            rows = connection.execute(grouped).all()
            ids = {each for row in rows for each in (row.first, row.last)}
            found = select(_TABLE).where(TransferRow.id.in_(ids))
            examples = {each.id: each for each in readable(connection.execute(found))}
        return now, [_group(row, examples) for row in rows]

    def page(
        self,
        *,
        reason: ReasonCode | None = None,
        kind: ArtifactKind | None = None,
        job_id: int | None = None,
        before: QuarantinePlace | None = None,
        limit: int,
    ) -> QuarantinePage:
        """Return the next transfers that fit, the one that was given up last first."""
        order = TransferRow.finished_at.desc(), TransferRow.id.desc()
        conditions: list[ColumnElement[bool]] = [IS_QUARANTINED]
        if job_id is not None:
            conditions.append(TransferRow.job_id == job_id)
        if before is not None:
            conditions.append(_is_after(before))
        looked_at = select(
            *(TransferRow.id, TransferRow.finished_at, TransferRow.reason_code, TransferRow.kind)
        )
        is_search = reason is not None or kind is not None
        most = _SEARCHED if is_search else limit + 1
        window = looked_at.where(*conditions).order_by(*order).limit(most)
        with autocommit(self._engine) as connection:
            seen = connection.execute(window).all()
            fitting = [
                row
                for row in seen
                if reason in (None, row.reason_code) and kind in (None, row.kind)
            ]
            shown = [row.id for row in fitting[:limit]]
            found = select(_TABLE).where(TransferRow.id.in_(shown)).order_by(*order)
            transfers = list(readable(connection.execute(found))) if shown else []
        # What the next page follows: the last transfer that is shown, or that was looked at.
        rest = fitting[limit - 1 :] if len(fitting) > limit else []
        last = rest[:1] or (seen[-1:] if is_search and len(seen) == most else [])
        places = [QuarantinePlace(row.finished_at, row.id) for row in last]
        return QuarantinePage(transfers=transfers, next=places[0] if places else None)


def _group(row: Any, examples: Mapping[int, Transfer]) -> QuarantinedGroup:  # noqa: ANN401 - a row
    ids = dict.fromkeys((row.last, row.first))
    return QuarantinedGroup(
        reason=reason_of(row.reason_code) or ReasonCode.UNEXPECTED,
        transfers=row.transfers,
        recent=row.recent,
        first_at=row.first_at,
        last_at=row.last_at,
        # One that was retried in between is none any more.
        examples=[examples[each] for each in ids if each in examples],
    )


def _is_after(place: QuarantinePlace) -> ColumnElement[bool]:
    # The first condition is for the index, which has the time alone.
    return and_(
        TransferRow.finished_at <= place.finished_at,
        or_(TransferRow.finished_at < place.finished_at, TransferRow.id < place.id),
    )
