"""Write events in the transaction, or the statement, that records what they say."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Row,
    Select,
    String,
    Update,
    and_,
    cast,
    func,
    literal,
    literal_column,
    select,
    true,
    union_all,
)

from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import Bind, autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.tables import ARTIFACT_RUN, ArtifactRow, BatchRow, EventRow
from artifact_pipeline.worker.sql.tables import TransferRow as Transfers
from artifact_pipeline.worker.sql.transfers.held import held_by, refuse_void, write
from artifact_pipeline.worker.sql.transfers.state_values import done

ENDED = (
    *(Transfers.id, Transfers.job_id, Transfers.run_id, Transfers.kind, Transfers.direction),
    *(Transfers.request_id, Transfers.batch_id, Transfers.reason_code),
)
"""The columns of a transfer that its events are made of."""


@dataclass(frozen=True, slots=True)
class EventLog:
    """Writes events for some targets.

    Attributes:
        targets: the names of those that get all events; None if events are off, so that nothing
            is written.
    """

    targets: tuple[str, ...] | None = None

    def ending(self, bind: Bind) -> AbstractContextManager[Connection]:
        """Begin what the statements of `end` need: in PostgreSQL they are one."""
        is_sqlite = isinstance(bind, Engine) and bind.dialect.name == "sqlite"
        return transaction(bind) if self.targets and is_sqlite else autocommit(bind)

    def end(
        self,
        connection: Connection,
        claim: Claim,
        event: EventType,
        **values: Any,  # noqa: ANN401 - of SQL
    ) -> None:
        """Write the end of a claimed transfer, and its events.

        An artifact that was stored must be recorded before.

        Raises:
            LeaseLostError: the claim is void.
        """
        if not self.targets:
            write(connection, claim, **values)
        elif connection.dialect.name == "postgresql":
            ended = held_by(claim).values(values).returning(*ENDED).cte("ended")
            written = _insertion("postgresql", self._of_transfer(ended, event))
            if connection.execute(written.returning(EventRow.id)).first() is None:
                refuse_void(connection, claim)
        else:
            write(connection, claim, **values)
            self._write_end(connection, claim.transfer_id, event)

    def end_many(
        self,
        connection: Connection,
        change: Update,
        event: EventType,
        columns: Iterable[Any] = ENDED,
    ) -> Sequence[Row[Any]]:
        """Write the ends of transfers, and their events; return the transfers' columns.

        Args:
            connection: of `ending`.
            change: ends them.
            event: of each of them.
            columns: to return, with all of `ENDED`.
        """
        ending = change.returning(*columns)
        if not self.targets:
            return connection.execute(ending).all()
        if connection.dialect.name == "postgresql":
            ended = ending.cte("ended")
            written = ended_events(ended, event, self.targets).returning(EventRow.id)
            return connection.execute(select(ended).add_cte(written.cte("written"))).all()
        rows = connection.execute(ending).all()
        for row in rows:
            self._write_end(connection, row.id, event)
        return rows

    def _write_end(self, connection: Connection, transfer_id: int, event: EventType) -> None:
        ended = select(*ENDED).where(Transfers.id == transfer_id).cte("ended")
        connection.execute(_insertion("sqlite", self._of_transfer(ended, event)))

    def end_stored(self, connection: Connection, claim: Claim, bytes_moved: int) -> None:
        """Write the end of a transfer whose artifact is recorded. Raises: as `end`."""
        self.end(connection, claim, EventType.ARTIFACT_STORED, **done(claim, bytes_moved))

    def end_batch(self, connection: Connection, batch_id: int) -> None:
        """Write the events of a batch whose end the transaction has just written.

        A snapshot that is cancelled before its start has none.
        """
        if self.targets is None:
            return
        notify = connection.scalar(select(BatchRow.notify).where(BatchRow.id == batch_id))
        names = dict.fromkeys((*self.targets, *([notify] if notify else ())))
        if not names:
            return
        targets = target_rows(tuple(names))
        values = {
            **_common(EventType.BATCH_ENDED, literal(str(uuid4()))),
            "target": targets.c.target,
            "batch_id": BatchRow.id,
            "batch_state": BatchRow.state,
            "batch_members": BatchRow.members,
        }
        rows = select(*values.values()).select_from(BatchRow).join(targets, true())
        rows = rows.where(BatchRow.id == batch_id, BatchRow.started_at.is_not(None))
        connection.execute(_insertion(connection.dialect.name, (values, rows)))

    def _of_transfer(
        self, ended: FromClause, event: EventType
    ) -> tuple[dict[str, Any], Select[Any]]:
        targets = target_rows(self.targets or ())
        values = {
            **_common(event, literal(str(uuid4()))),
            **of_transfer(ended),
            "target": targets.c.target,
        }
        if event is not EventType.ARTIFACT_STORED:
            return values, select(*values.values()).select_from(ended).join(targets, true())
        values |= {"size": ArtifactRow.size, "sha256": ArtifactRow.sha256}
        is_its = and_(
            ArtifactRow.job_id == ended.c.job_id,
            func.coalesce(ended.c.run_id, literal_column("0")) == ARTIFACT_RUN,
            ArtifactRow.kind == ended.c.kind,
        )
        rows = select(*values.values()).select_from(ended).outerjoin(ArtifactRow, is_its)
        return values, rows.join(targets, true())


NO_EVENTS = EventLog()


def stored_events(ended: FromClause, stored: FromClause, targets: tuple[str, ...]) -> Any:  # noqa: ANN401 - of PostgreSQL's dialect
    """Return an insertion of the events of a page of uploads.

    Args:
        ended: their transfers, with the columns of `ENDED`.
        stored: what they have stored, by `transfer_id`.
        targets: that get the events.
    """
    found = ended.join(stored, stored.c.transfer_id == ended.c.id)
    columns = (*ended.c, stored.c.size, stored.c.sha256)
    return _events_of_many(select(*columns).select_from(found), EventType.ARTIFACT_STORED, targets)


def ended_events(ended: FromClause, event: EventType, targets: tuple[str, ...]) -> Any:  # noqa: ANN401 - of PostgreSQL's dialect
    """Return an insertion of the events of several transfers. Args: as `stored_events`."""
    return _events_of_many(select(*(ended.c[column.key] for column in ENDED)), event, targets)


def _events_of_many(ended: Select[Any], event: EventType, targets: tuple[str, ...]) -> Any:  # noqa: ANN401 - as above
    # All targets get the event under one id, so make it before they are joined.
    made = ended.add_columns(func.gen_random_uuid().label("event_id")).cte("made_events")
    names = target_rows(targets)
    values = {
        **_common(event, cast(made.c.event_id, String)),
        **of_transfer(made),
        "target": names.c.target,
        **{name: made.c[name] for name in ("size", "sha256") if name in made.c},
    }
    rows = select(*values.values()).select_from(made).join(names, true()).order_by(made.c.id)
    return _insertion("postgresql", (values, rows))


def of_transfer(ended: FromClause) -> dict[str, ColumnElement[Any]]:
    """Return the columns of an event that say which transfer it is about."""
    same = {column.key: ended.c[column.key] for column in ENDED if column.key != "id"}
    return {**same, "transfer_id": ended.c.id}


def target_rows(targets: tuple[str, ...]) -> FromClause:
    """Return the names of the targets as rows."""
    names = [select(literal(name, String).label("target")) for name in targets]
    return union_all(*names).subquery("targets")


def _common(event: EventType, event_id: ColumnElement[Any]) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "type": literal(event.value, String),
        "occurred_at": utc_now(),
        "attempts": literal_column("0"),
        "next_attempt_at": utc_now(),
    }


def _insertion(dialect: str, event: tuple[dict[str, Any], Select[Any]]) -> Any:  # noqa: ANN401
    values, rows = event
    return insert_into(dialect, EventRow).from_select(list(values), rows)
