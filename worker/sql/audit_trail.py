"""The audit trail: the tables `operator_actions` and `operator_action_jobs`."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from artifact_pipeline.domain.model.operator_actions import (
    ActionOutcome,
    NewAction,
    OperatorAction,
)
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import Bind, autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.tables import ActionJobRow, ActionRow

_TABLE = ActionRow.__table__
_PAGE = 500


class SqlAuditTrail:
    """The actions of operators, in SQL."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def begin(self, action: NewAction) -> int:
        row = insert(ActionRow).values(
            name=str(action.name),
            actor=action.actor,
            reason=action.reason,
            job_id=action.job_id,
            batch_id=action.batch_id,
            target=dict(action.target),
            started_at=utc_now(),
        )
        with autocommit(self._bind) as connection:
            return connection.execute(row.returning(ActionRow.id)).scalar_one()

    def touch(self, action_id: int, job_ids: Collection[int]) -> None:
        with transaction(self._bind) as connection:
            note_jobs(connection, action_id, job_ids)

    def end(self, action_id: int, outcome: ActionOutcome, result: str | None = None) -> None:
        with autocommit(self._bind) as connection:
            end_action(connection, action_id, outcome, result)

    def of_job(self, job_id: int, batch_ids: Collection[int] = ()) -> Sequence[OperatorAction]:
        touched = select(ActionJobRow.action_id).where(ActionJobRow.job_id == job_id)
        is_about: list[ColumnElement[bool]] = [
            ActionRow.job_id == job_id,
            ActionRow.id.in_(touched),
        ]
        if batch_ids:
            is_about.append(ActionRow.batch_id.in_(sorted(batch_ids)))
        statement = select(_TABLE).where(or_(*is_about)).order_by(ActionRow.id)
        with autocommit(self._bind) as connection:
            return [_action(row) for row in connection.execute(statement)]

    def newest(self, limit: int, *, before: int | None = None) -> Sequence[OperatorAction]:
        statement = select(_TABLE).order_by(ActionRow.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(ActionRow.id < before)
        with autocommit(self._bind) as connection:
            return [_action(row) for row in connection.execute(statement)]


def end_action(
    connection: Connection, action_id: int, outcome: ActionOutcome, result: str | None
) -> None:
    """Note, in the caller's transaction, how an action ended. The first end counts."""
    open_action = update(ActionRow).where(
        ActionRow.id == action_id, ActionRow.finished_at.is_(None)
    )
    ended = open_action.values(
        finished_at=utc_now(),
        outcome=outcome.value,
        result=None if result is None else redact(result),
    )
    connection.execute(ended)


def note_jobs(connection: Connection, action_id: int, job_ids: Collection[int]) -> None:
    """Note, in the caller's transaction, that an action changes something of these jobs."""
    rows = [{"job_id": job_id, "action_id": action_id} for job_id in sorted(set(job_ids))]
    insertion = insert_into(connection.dialect.name, ActionJobRow).on_conflict_do_nothing()
    for start in range(0, len(rows), _PAGE):
        connection.execute(insertion, rows[start : start + _PAGE])


def _action(row: Any) -> OperatorAction:  # noqa: ANN401 - a row
    return OperatorAction(**row._asdict())
