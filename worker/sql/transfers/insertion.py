"""Inserting the rows of requests, or finding the transfers that are active already."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact, artifact_order
from artifact_pipeline.domain.model.trace_context import current_trace
from artifact_pipeline.domain.model.transfers import (
    ACTIVE_STATES,
    Direction,
    Transfer,
    TransferState,
)
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import insert_into
from artifact_pipeline.worker.sql.mapping import as_transfer
from artifact_pipeline.worker.sql.tables import IS_ACTIVE, TRANSFER_RUN, TransferRow
from artifact_pipeline.worker.sql.transfers.predicates import of_artifact

_TABLE = TransferRow.__table__
_REQUEST_TRIES = 3
_LOOKED_UP_AT_ONCE = 500
_IN_ARRAYS = {"request_id": Text, "job_id": Integer, "run_id": Integer, "kind": Text}
"""Columns in which requests differ, with the types of their arrays."""
_BETWEEN = ","
"""Between their values, as they are sent."""
_CUT: tuple[ColumnElement[str], ...] = literal_column(f"'{_BETWEEN}'"), literal_column("''")
"""Where the server cuts, and what is NULL then."""
_OF_ALL = ("direction", "requested_by", "state", "trace_headers", "workspace")
"""Columns that are the same in all requests of a statement."""
_MADE = (
    *(TransferRow.id, TransferRow.request_id),
    *(TransferRow.requested_at, TransferRow.next_attempt_at),
)
"""The columns of a new row that are not known before."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is not in SQL yet. Attributes: as of `Transfer`."""

    request_id: str
    artifact: Artifact
    direction: Direction
    requested_by: str | None
    state: TransferState
    trace_headers: str | None = field(default_factory=current_trace)
    workspace: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The values of its row, beside `first_values`."""
        return {
            "request_id": self.request_id,
            "job_id": self.artifact.job_id,
            "run_id": self.artifact.run_id,
            "kind": self.artifact.kind.value,
            "direction": self.direction.value,
            "requested_by": self.requested_by,
            "state": self.state.value,
            "trace_headers": self.trace_headers,
            "workspace": self.workspace,
        }

    def as_made(self, row: Any) -> Transfer:  # noqa: ANN401 - a row of `_MADE`
        """Return the transfer that it has become, from what the insert returns."""
        made_id, request_id, requested_at, next_attempt_at = row
        return Transfer(
            id=made_id,
            request_id=request_id,
            artifact=self.artifact,
            direction=self.direction,
            state=self.state,
            requested_at=requested_at,
            next_attempt_at=next_attempt_at,
            requested_by=self.requested_by,
            trace_headers=self.trace_headers,
            workspace=self.workspace,
        )


def request_transfer(  # noqa: PLR0913 - the columns of a request
    connection: Connection,
    artifact: Artifact,
    direction: Direction,
    request_id: str,
    requested_by: str | None = None,
    *,
    state: TransferState = TransferState.REQUESTED,
    workspace: str | None = None,
) -> Transfer:
    """Insert the request in the caller's transaction, or find the one that is active.

    Args:
        connection: of the transaction.
        artifact: which one.
        direction: where it goes.
        request_id: of its message.
        requested_by: the user's id or a name.
        state: REQUESTED if the caller sends the message; WAITING leaves it to the next dispatch.
        workspace: the name of the one with its source or target.
    """
    asked = Asked(request_id, artifact, direction, requested_by, state, workspace=workspace)
    # The active transfer that the insert met may end before the select looks for it.
    for _ in range(_REQUEST_TRIES):
        made = connection.execute(_inserted(connection.dialect.name), asked.values).first()
        if made is not None:
            return asked.as_made(made)
        row = connection.execute(_existing(artifact, direction, request_id)).first()
        if row is not None:
            return as_transfer(row)
    raise SqlUnavailableError(f"{artifact}: the request could not be recorded")


def request_transfers(connection: Connection, asked: Sequence[Asked]) -> list[Transfer]:
    """Insert many requests in one statement, as `request_transfer` does each, in their order.

    Args:
        connection: of the caller's transaction.
        asked: alike but for their ids and artifacts.
    """
    if not asked:
        return []
    found: dict[Artifact, Transfer] = {}
    for _ in range(_REQUEST_TRIES):
        missing = _not_in(found, asked)
        found.update(_insert_all(connection, missing))
        found.update(_active_of(connection, _not_in(found, missing)))
        if all(each.artifact in found for each in asked):
            return [found[each.artifact] for each in asked]
    lost = _not_in(found, asked)[0].artifact
    raise SqlUnavailableError(f"{lost}: the request could not be recorded")


def _not_in(found: Container[Artifact], asked: Iterable[Asked]) -> list[Asked]:
    """Return one request for each artifact that was not found, in the order of all inserts.

    In another order two transactions that ask for the same artifacts could meet a deadlock.
    """
    missing = {each.artifact: each for each in asked if each.artifact not in found}
    return sorted(missing.values(), key=lambda each: artifact_order(each.artifact))


def _insert_all(
    connection: Connection, asked: Sequence[Asked]
) -> Iterator[tuple[Artifact, Transfer]]:
    """Insert those whose artifact has no active transfer."""
    by_id = {each.request_id: each for each in asked}
    dialect = connection.dialect.name
    if dialect == "postgresql":
        rows = connection.execute(_inserted_from_arrays(), _arrays_of(asked))
    else:
        rows = connection.execute(_inserted(dialect), [each.values for each in asked])
    for row in rows:
        made = by_id[row.request_id]
        yield made.artifact, made.as_made(row)


def _active_of(
    connection: Connection, asked: Sequence[Asked]
) -> Iterator[tuple[Artifact, Transfer]]:
    """Find the active transfers that the insert has met."""
    identity = tuple_(TransferRow.job_id, TRANSFER_RUN, TransferRow.kind)
    for start in range(0, len(asked), _LOOKED_UP_AT_ONCE):
        page = asked[start : start + _LOOKED_UP_AT_ONCE]
        meant = [(a.job_id, a.run_id or 0, a.kind.value) for a in (each.artifact for each in page)]
        query = select(_TABLE).where(
            identity.in_(meant), TransferRow.direction == page[0].direction, IS_ACTIVE
        )
        for row in connection.execute(query):
            transfer = as_transfer(row)
            yield transfer.artifact, transfer


def first_values() -> dict[str, Any]:
    """Return what every request begins with, beside what was asked for."""
    return {
        "attempts": 0,
        "fence": 0,
        "requested_at": utc_now(),
        "next_attempt_at": utc_now(),
    }


@cache  # making it takes a producer as long as the server takes to carry it out
def _inserted(dialect: str) -> Any:  # noqa: ANN401 - of either dialect
    return (
        insert_into(dialect, TransferRow)
        .values(first_values())
        .on_conflict_do_nothing()
        .returning(*_MADE)
    )


@cache
def _inserted_from_arrays() -> Any:  # noqa: ANN401 - of PostgreSQL's dialect
    # The text of the statement is the same for however many rows.
    # The server cuts one text for each column: the driver would take longer to write an array.
    texts = {name: bindparam(name, type_=Text) for name in _IN_ARRAYS}
    arrays: list[Any] = [
        cast(func.string_to_array(texts[name], *_CUT), ARRAY(of)) for name, of in _IN_ARRAYS.items()
    ]
    asked = func.unnest(*arrays).table_valued(*_IN_ARRAYS).render_derived(name="asked")
    values = {**{name: cast(bindparam(name), Text) for name in _OF_ALL}, **first_values()}
    return (
        insert_into("postgresql", TransferRow)
        .from_select([*_IN_ARRAYS, *values], select(*asked.c, *values.values()))
        .on_conflict_do_nothing()
        .returning(*_MADE)
    )


def _arrays_of(asked: Sequence[Asked]) -> dict[str, Any]:
    rows = [each.values for each in asked]
    return {
        **{name: _in_one_text(row[name] for row in rows) for name in _IN_ARRAYS},
        **{name: rows[0][name] for name in _OF_ALL},
    }


def _in_one_text(values: Iterable[Any]) -> str:
    """Join ids and kinds, which have no such character; a field without a text is NULL."""
    return _BETWEEN.join("" if value is None else str(value) for value in values)


def _existing(artifact: Artifact, direction: Direction, request_id: str) -> Select[Any]:
    same_request = TransferRow.request_id == request_id
    is_meant = or_(same_request, TransferRow.state.in_(ACTIVE_STATES))
    return (
        select(_TABLE)
        .where(of_artifact(artifact, direction), is_meant)
        .order_by(same_request.desc())
    )
