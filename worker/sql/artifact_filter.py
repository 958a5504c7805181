"""Which transfers a batch, an operator or a list selects: the filter as SQL."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, column, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.selectable import Subquery

from artifact_pipeline.domain.model.batches import BATCH_DIRECTIONS, BatchFilter
from artifact_pipeline.domain.model.selection import IdRange, Selection
from artifact_pipeline.domain.model.transfer_filter import TransferFilter
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.clock import utc_now, utc_of
from artifact_pipeline.worker.sql.directories import job_directory
from artifact_pipeline.worker.sql.named_artifacts import Identity, is_listed
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.tables import TRANSFER_RUN, TransferRow


def last_transfers(filters: BatchFilter, dialect: str) -> Subquery:
    """Select the last transfer of each artifact and direction that fits, with the job's user."""
    artifact = [TransferRow.job_id, TRANSFER_RUN, TransferRow.kind, TransferRow.direction]
    age = func.row_number().over(partition_by=artifact, order_by=TransferRow.id.desc())
    ranked = (
        select(
            *(TransferRow.job_id, TransferRow.run_id, TransferRow.kind, TransferRow.direction),
            *(TransferRow.state, TransferRow.reason_code, TransferRow.finished_at),
            TransferRow.workspace,
            JobRow.user_id,
            job_directory().label("directory"),
            age.label("age"),
        )
        .join(JobRow, JobRow.id == TransferRow.job_id)
        .where(*_of_members(filters, dialect))
        .subquery("ranked")
    )
    last: Select[Any] = select(ranked).where(ranked.c.age == 1, *_of_last(filters, ranked))
    return last.subquery("last")


def of_job(filters: Selection, dialect: str) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on the job's row, except its id."""
    if filters.user_ids:
        yield JobRow.user_id.in_(filters.user_ids)
    if filters.created_after is not None:
        yield utc_of(JobRow.created_at) >= filters.created_after
    if filters.created_before is not None:
        yield utc_of(JobRow.created_at) < filters.created_before
    for tag in filters.tags:
        yield has_tag(tag, dialect)


def of_artifact(filters: Selection | TransferFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on a transfer's artifact."""
    if filters.kinds:
        yield TransferRow.kind.in_(filters.kinds)
    if filters.job_ids:
        yield is_in(TransferRow.job_id, filters.job_ids)
    if filters.run_ids:
        yield is_in(TransferRow.run_id, filters.run_ids)


def of_end(filters: Selection, ended: Any) -> Iterator[ColumnElement[bool]]:  # noqa: ANN401 - a table
    """Yield the conditions on how and when a transfer has ended.

    Args:
        filters: the selection.
        ended: has the columns `state`, `reason_code` and `finished_at`.
    """
    if filters.reasons:
        yield ended.reason_code.in_(filters.reasons)
    if filters.is_about_failures:
        yield ended.state == TransferState.QUARANTINED
    if filters.failed_after is not None:
        yield ended.finished_at >= filters.failed_after
    if filters.failed_before is not None:
        yield ended.finished_at < filters.failed_before
    if filters.older_than is not None:
        yield ended.finished_at <= utc_now(-filters.older_than)
    if filters.newer_than is not None:
        yield ended.finished_at >= utc_now(-filters.newer_than)


def _of_members(filters: BatchFilter, dialect: str) -> Iterator[ColumnElement[bool]]:
    """Return the conditions that hold alike for all transfers of an artifact."""
    yield TransferRow.direction.in_(filters.directions or BATCH_DIRECTIONS)
    yield from of_artifact(filters)
    yield from of_job(filters, dialect)
    if filters.listed is not None:
        yield is_listed(Identity(TransferRow.job_id, TransferRow.run_id, TransferRow.kind))


def _of_last(filters: BatchFilter, last: Subquery) -> Iterator[ColumnElement[bool]]:
    if filters.states:
        yield last.c.state.in_(filters.states)
    yield from of_end(filters, last.c)


def is_in(column: InstrumentedAttribute[Any], ranges: Sequence[IdRange]) -> ColumnElement[bool]:
    """Return the condition that the column is in one of the ranges."""
    single = [each.first for each in ranges if each.first == each.last]
    between = [column.between(each.first, each.last) for each in ranges if each.first != each.last]
    return or_(column.in_(single), *between)


def has_tag(tag: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a list has the tag, or an object the name with that value."""
    name, is_named, value = tag.partition("=")
    if dialect == "postgresql":
        tags = JobRow.tags.cast(JSONB)
        alone = tags.contains([tag])
        return or_(alone, tags.contains({name: value})) if is_named else alone
    each = func.json_each(JobRow.tags).table_valued("key", "value", "type", name="tag")
    in_list = and_(func.json_type(JobRow.tags) == "array", each.c.value == tag)
    by_name = and_(func.json_type(JobRow.tags) == "object", each.c.key == name)
    named = and_(by_name, each.c.value == value) if is_named else literal(False)  # noqa: FBT003
    return exists(select(column("value")).select_from(each).where(or_(in_list, named)))
