"""How many transfers ended in each minute."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, literal, select, union_all

from artifact_pipeline.worker.sql.clock import minute_of
from artifact_pipeline.worker.sql.tables import IS_DONE, IS_QUARANTINED, TransferRow

_FIGURES = ("transfers", "bytes_moved", "failures")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedMinute:
    """What ended within a minute.

    Attributes:
        minute: counted from 1970.
        transfers: that were done.
        bytes_moved: by these.
        failures: transfers that were quarantined.
    """

    minute: int
    transfers: int
    bytes_moved: int
    failures: int


def ended_minutes(connection: Connection, begin: datetime, end: datetime) -> Iterator[EndedMinute]:
    """Yield the minutes from `begin` to before `end` in which transfers ended."""
    within = (TransferRow.finished_at >= begin, TransferRow.finished_at < end)
    minute = minute_of(TransferRow.finished_at).label("minute")
    # Two SELECTs, since each index has the transfers of one state.
    done = select(
        minute,
        func.count().label("transfers"),
        func.coalesce(func.sum(TransferRow.bytes_sent), 0).label("bytes_moved"),
        literal(0).label("failures"),
    ).where(IS_DONE, *within)
    failed = select(minute, literal(0), literal(0), func.count()).where(IS_QUARANTINED, *within)
    arms = union_all(done.group_by("minute"), failed.group_by("minute")).subquery("ended")
    figures = [
        func.sum(arms.c[name]).label(name) for name in ("transfers", "bytes_moved", "failures")
    ]
    for row in connection.execute(select(arms.c.minute, *figures).group_by(arms.c.minute)):
        yield EndedMinute(
            minute=int(row.minute),
            transfers=int(row.transfers),
            bytes_moved=int(row.bytes_moved),
            failures=int(row.failures),
        )
