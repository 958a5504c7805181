"""Rows of `transfers` in bulk, as the tests of the status need them."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, insert, select

from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.sql.clock import read_clock
from artifact_pipeline.worker.sql.tables import TransferRow

OUTSTANDING = 13_002
_PAGE = 2_000


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
        rows = [self._row(state, job_id, fixed) for job_id in job_ids]
        with self.engine.begin() as connection:
            for start in range(0, times, _PAGE):
                connection.execute(insert(TransferRow), rows[start : start + _PAGE])
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

    def _row(self, state: TransferState, job_id: int, values: dict[str, Any]) -> dict[str, Any]:
        long_ago = self.now - timedelta(days=1)
        return {
            "request_id": f"request-{job_id}",
            "job_id": job_id,
            "kind": "job_config",
            "direction": Direction.UPLOAD,
            "state": state,
            "attempts": 0,
            "fence": 0,
            "requested_at": long_ago,
            "next_attempt_at": long_ago,
            **values,
        }
