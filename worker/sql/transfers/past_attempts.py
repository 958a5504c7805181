"""How an attempt that ends without success is kept, by the statement that ends it."""

from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, Text, case, cast, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from artifact_pipeline.domain.errors import TransferError
from artifact_pipeline.domain.model.attempts import (
    MAX_PAST_ATTEMPTS,
    NO_ATTEMPT_REASONS,
    AttemptEnd,
)
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.tables import TransferRow


class with_line(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """Text with one more line, an array of JSON of the other arguments; its last characters."""

    type = Text()
    inherit_cache = True


@compiles(with_line, "postgresql")
def _postgresql(element: with_line, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    text, *values = (compiler.process(clause, **kwargs) for clause in element.clauses)
    line = f"json_build_array({', '.join(values)})"
    return f"right(concat({text}, chr(10), {line}), {MAX_PAST_ATTEMPTS})"


@compiles(with_line, "sqlite")
def _sqlite(element: with_line, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    text, *values = (compiler.process(clause, **kwargs) for clause in element.clauses)
    line = f"json_array({', '.join(values)})"
    return f"substr(coalesce({text}, '') || char(10) || {line}, -{MAX_PAST_ATTEMPTS})"


def failed_attempt(error: TransferError) -> dict[str, Any]:
    """Return the values that keep an attempt which ends with this error."""
    if error.reason in NO_ATTEMPT_REASONS:
        return {}
    return _ended(AttemptEnd.FAILED, utc_now(), error.reason, redact(str(error)))


def lost_attempt() -> dict[str, Any]:
    """Return the values that keep the attempt whose lease ran out, when another one begins."""
    return _ended(AttemptEnd.LOST, TransferRow.lease_expires_at)


def released_attempt() -> dict[str, Any]:
    """Return the values that keep an attempt which its worker gives back."""
    return _ended(AttemptEnd.RELEASED, utc_now())


def _ended(
    end: AttemptEnd,
    ended_at: SQLColumnExpression[Any],
    reason: str | None = None,
    error: str | None = None,
) -> dict[str, Any]:
    line = with_line(
        *(TransferRow.past_attempts, TransferRow.attempts, TransferRow.claimed_at, ended_at),
        *(TransferRow.lease_owner, _text(end), _text(reason), _text(error)),
    )
    # What waits has no attempt that could end: a claim and a cancellation meet it too.
    is_running = TransferRow.state == TransferState.RUNNING
    return {"past_attempts": case((is_running, line), else_=TransferRow.past_attempts)}


def _text(value: str | None) -> ColumnElement[str | None]:
    # PostgreSQL must know the type of what it makes JSON of.
    return cast(literal(value, Text), Text)
