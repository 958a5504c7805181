"""Rows of `transfers` in bulk, as the tests of the status need them."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, String, cast, insert, literal, select

from artifact_pipeline.domain.model.attempts import Attempt, AttemptEnd, with_attempt
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.clock import read_clock
from artifact_pipeline.worker.sql.tables import TransferRow

OUTSTANDING = 13_002


class Rows:
    """Inserts transfers whose times are relative to the database's clock."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._next_id = 1
        with engine.connect() as connection:
            self.now = read_clock(connection)

    def add(self, state: TransferState, *, times: int = 1, **values: Any) -> list[int]:
        """Insert that many; a timedelta is that long before now. Returns: the job ids."""
        fixed = {name: self._value(value) for name, value in values.items()}
        job_ids = range(self._next_id, self._next_id + times)
        self._next_id += times
        row = {name: self._typed(name, value) for name, value in self._row(state, fixed).items()}
        # The database counts: to send thousands of rows takes as long as many tests.
        number = select(literal(job_ids[0]).label("number")).cte("numbers", recursive=True)
        following = select(number.c.number + 1).where(number.c.number < job_ids[-1])
        number = number.union_all(following)
        row["job_id"] = number.c.number
        row["request_id"] = literal("request-") + cast(number.c.number, String)
        with self.engine.begin() as connection:
            connection.execute(insert(TransferRow).from_select(list(row), select(*row.values())))
        return list(job_ids)

    def outstanding(self) -> None:
        """Insert requests of two queues, all of them due for twenty minutes."""
        since = timedelta(minutes=20)
        half = OUTSTANDING // 2
        for kind in ("job_config", "job_input"):
            times = {"requested_at": since, "next_attempt_at": since}
            self.add(TransferState.REQUESTED, times=half, kind=kind, **times)

    def ids(self) -> list[int]:
        with self.engine.connect() as connection:
            return list(connection.scalars(select(TransferRow.id).order_by(TransferRow.id)))

    def _value(self, value: Any) -> Any:
        return self.now - value if isinstance(value, timedelta) else value

    def _typed(self, name: str, value: Any) -> ColumnElement[Any]:
        return literal(value, TransferRow.__table__.c[name].type)

    def _row(self, state: TransferState, values: dict[str, Any]) -> dict[str, Any]:
        long_ago = self.now - timedelta(days=1)
        return {
            "kind": "job_config",
            "direction": Direction.UPLOAD,
            "state": state,
            "attempts": 0,
            "fence": 0,
            "requested_at": long_ago,
            "next_attempt_at": long_ago,
            **values,
        }


def past_attempts(*attempts: Attempt) -> str:
    """The text that a row keeps of them."""
    text: str | None = None
    for attempt in attempts:
        text = with_attempt(text, attempt)
    return text or ""


def lost_and_failed(began_at: datetime, error: str) -> tuple[Attempt, Attempt]:
    """An attempt that was lost after 18 seconds, and one that failed after a minute."""
    minute = timedelta(minutes=1)
    lost = Attempt(
        number=1,
        began_at=began_at - minute,
        ended_at=began_at - 0.7 * minute,
        worker="host:1:2",
        end=AttemptEnd.LOST,
    )
    failed = Attempt(
        number=2,
        began_at=began_at,
        ended_at=began_at + minute,
        worker="host:3:4",
        end=AttemptEnd.FAILED,
        reason=ReasonCode.STORE_UNAVAILABLE,
        error=error,
    )
    return lost, failed
