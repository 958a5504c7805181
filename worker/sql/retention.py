"""Artifacts that the retention rules want archived or deleted: `IDueArtifacts` over SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    String,
    Subquery,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.retention import (
    DueAmount,
    DueAmounts,
    DueArtifact,
    RetentionAction,
    RetentionPage,
    RetentionRule,
)
from artifact_pipeline.worker.sql.artifacts import stored_artifact_of
from artifact_pipeline.worker.sql.directories import is_own, job_directory
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.retention_conditions import Conditions, conditions_of, recency
from artifact_pipeline.worker.sql.tables import (
    ARTIFACT_RUN,
    IS_ACTIVE,
    TRANSFER_RUN,
    ArtifactRow,
    HoldRow,
    TransferRow,
)
from artifact_pipeline.worker.sql.upkeep import keep_upkeep, read_position

SCANNED = 50_000
"""Rows of artifacts that one statement looks at: some tenths of a second."""
_WORK = "retention"


class SqlDueArtifacts:
    """Due artifacts, found by ranges of the ids of their rows.

    Args:
        engine: of the database.
        archives: names of tiers that are archives, the quickest to read first.
        scanned: rows that one call looks at.
    """

    def __init__(self, engine: Engine, archives: Sequence[str], scanned: int = SCANNED) -> None:
        self._engine = engine
        self._archives = archives
        self._scanned = scanned

    def page(self, rules: Sequence[RetentionRule], *, after: int, limit: int) -> RetentionPage:
        with autocommit(self._engine) as connection:
            last, is_end = self._range(connection, after)
            due = self._due(connection, rules, after, last)
            found = select(ArtifactRow.__table__, due.c.action, due.c.to_tier)
            found = found.join(due, due.c.id == ArtifactRow.id).where(~due.c.is_held)
            found = found.order_by(ArtifactRow.id).limit(limit)
            rows = connection.execute(found).all()
        page = [_due_artifact(row) for row in rows]
        if len(page) == limit:
            return RetentionPage(due=page, last=rows[-1].id, is_end=False)
        return RetentionPage(due=page, last=last, is_end=is_end)

    def count(
        self, rules: Sequence[RetentionRule], *, after: int, of_rule: str | None = None
    ) -> DueAmounts:
        with autocommit(self._engine) as connection:
            last, is_end = self._range(connection, after)
            due = self._due(connection, rules, after, last, of_rule)
            sorts = [each for each in due.c if each.name in _SORT]
            amounts = select(*sorts, func.count().label("artifacts"), _SUM(due.c.size))
            found = connection.execute(amounts.group_by(*sorts)).all()
            held = select(due.c.job_id).where(due.c.is_held).distinct()
            jobs = frozenset(connection.scalars(held))
        return DueAmounts(
            amounts=[_amount(row) for row in found], held_jobs=jobs, last=last, is_end=is_end
        )

    def position(self) -> int:
        with autocommit(self._engine) as connection:
            return read_position(connection, _WORK)

    def keep_position(self, position: int) -> None:
        with autocommit(self._engine) as connection:
            keep_upkeep(connection, _WORK, position=position)

    def _range(self, connection: Connection, after: int) -> tuple[int, bool]:
        ids = select(ArtifactRow.id).where(ArtifactRow.id > after).order_by(ArtifactRow.id)
        page = ids.limit(self._scanned).subquery()
        last, number = connection.execute(select(func.max(page.c.id), func.count())).one()
        return last or after, number < self._scanned

    def _due(
        self,
        connection: Connection,
        rules: Sequence[RetentionRule],
        after: int,
        last: int,
        of_rule: str | None = None,
    ) -> Subquery:
        """Return the due artifacts of a range, each with what is done with it."""
        ranked = recency(after, last) if any(rule.keep_latest for rule in rules) else None
        place = literal(0) if ranked is None else ranked.c.place
        dialect = connection.dialect.name
        found = conditions_of(rules, self._archives, dialect, place=place, of_rule=of_rule)
        is_due = or_(found.is_deleted, and_(found.is_archived, self._is_not_archived(rules)))
        due = (
            select(
                *(ArtifactRow.id, ArtifactRow.job_id, ArtifactRow.kind, ArtifactRow.size),
                ArtifactRow.storage_class.label("tier_name"),
                _month(connection).label("month"),
                _action(found).label("action"),
                case((found.is_deleted, None), else_=found.tier_name).label("to_tier"),
                exists(select(HoldRow.job_id).where(HoldRow.job_id == ArtifactRow.job_id)).label(
                    "is_held"
                ),
            )
            .join(JobRow, JobRow.id == ArtifactRow.job_id)
            .where(
                ArtifactRow.id > after,
                ArtifactRow.id <= last,
                found.is_counted,
                is_due,
                is_own(job_directory()),
                ~_has_active_transfer(),
            )
        )
        if ranked is not None:
            due = due.join(ranked, ranked.c.id == ArtifactRow.id)
        return due.subquery("due")

    def _is_not_archived(self, rules: Sequence[RetentionRule]) -> ColumnElement[bool]:
        tiers = {*self._archives, *(rule.tier_name for rule in rules if rule.tier_name)}
        return ArtifactRow.storage_class.not_in(sorted(tiers))


_SORT = ("action", "kind", "month", "tier_name", "to_tier", "is_held")


def _SUM(size: ColumnElement[int]) -> ColumnElement[Any]:  # noqa: N802 - reads as SQL
    # PostgreSQL sums bigint to numeric.
    return cast(func.sum(size), ArtifactRow.size.type).label("size")


def _action(found: Conditions) -> ColumnElement[str]:
    delete, archive = RetentionAction.DELETE.value, RetentionAction.ARCHIVE.value
    return case((found.is_deleted, literal(delete)), else_=literal(archive))


def _month(connection: Connection) -> ColumnElement[str]:
    """Return in which month the artifact was recorded, such as 2025-10."""
    if connection.dialect.name == "postgresql":
        return func.to_char(ArtifactRow.stored_at, "YYYY-MM", type_=String)
    return func.substr(ArtifactRow.stored_at, 1, 7, type_=String)


def _has_active_transfer() -> ColumnElement[bool]:
    return exists(
        select(TransferRow.id).where(
            IS_ACTIVE,
            TransferRow.job_id == ArtifactRow.job_id,
            TRANSFER_RUN == ARTIFACT_RUN,
            TransferRow.kind == ArtifactRow.kind,
        )
    )


def _due_artifact(row: Any) -> DueArtifact:  # noqa: ANN401 - a row
    return DueArtifact(
        stored=stored_artifact_of(row),
        action=RetentionAction(row.action),
        tier_name=row.to_tier,
    )


def _amount(row: Any) -> DueAmount:  # noqa: ANN401 - a row
    fields = row._asdict()
    fields["action"] = RetentionAction(fields["action"])
    fields["kind"] = ArtifactKind(fields["kind"])
    fields["is_held"] = bool(fields["is_held"])
    return DueAmount(**fields)
