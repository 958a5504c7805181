"""The artifacts that a file names, in a temporary table of the transaction that freezes a batch."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Column as TableColumn
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    exists,
    func,
    or_,
    select,
)

from artifact_pipeline.domain.model.batches import Listed
from artifact_pipeline.worker.sql.tables import MemberRow

_PAGE = 1000

_LISTED = Table(
    "listed_artifacts",
    MetaData(),
    TableColumn("job_id", Integer),
    TableColumn("run_id", Integer),
    TableColumn("kind", String(16)),
    prefixes=["TEMPORARY"],
)


class Identity(NamedTuple):
    """The columns, or values, that say which artifact a row is about."""

    job_id: Any
    run_id: Any
    kind: Any


def keep_listed(connection: Connection, listed: Iterable[Listed]) -> int:
    """Write the lines where `is_listed` finds them, and return their number."""
    # The transaction that it was made in may have been given up, and its connection not.
    _LISTED.drop(connection, checkfirst=True)
    _LISTED.create(connection)
    count = 0
    for page in _pages(listed):
        rows = [{"job_id": each.job_id, "run_id": each.run_id, "kind": each.kind} for each in page]
        connection.execute(_LISTED.insert(), rows)
        count += len(page)
    return count


def count_unmatched(connection: Connection, batch_id: int) -> int:
    """Return how many lines have brought the batch no member."""
    members = select(MemberRow.position).where(
        MemberRow.batch_id == batch_id,
        _is_line_of(Identity(MemberRow.job_id, MemberRow.run_id, MemberRow.kind)),
    )
    unmatched = select(func.count()).select_from(_LISTED).where(~exists(members))
    return connection.execute(unmatched).scalar_one()


def forget_listed(connection: Connection) -> None:
    _LISTED.drop(connection)


def is_listed(artifact: Identity, *, by_kind: bool = False) -> ColumnElement[bool]:
    """Return the condition that a line names the artifact.

    Args:
        artifact: of the row.
        by_kind: only lines that name a kind count.
    """
    lines = select(_LISTED.c.job_id).where(_is_line_of(artifact))
    return exists(lines.where(_LISTED.c.kind.is_not(None)) if by_kind else lines)


def _is_line_of(artifact: Identity) -> ColumnElement[bool]:
    line = _LISTED.c
    return and_(
        line.job_id == artifact.job_id,
        or_(line.run_id.is_(None), line.run_id == artifact.run_id),
        or_(line.kind.is_(None), line.kind == artifact.kind),
    )


def _pages(listed: Iterable[Listed]) -> Iterator[list[Listed]]:
    iterator = iter(listed)
    while page := list(islice(iterator, _PAGE)):
        yield page
