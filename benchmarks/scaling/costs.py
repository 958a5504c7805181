"""What an upload costs each tier, read from the report of the benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.figures import Figure, Unit

DRAINED = "a backlog of 5,000 small uploads, drained"
_DISTANT_S3 = "500 small uploads drained, S3 20 ms away"
_EACH_DISTANT = "500 small uploads drained, each server 2 ms away"
PAGE_SIZE, PAGE_THREADS, RECORDED_TOGETHER = 32, 8, 32
"""Of a worker, by default: uploads of a page, PUTs at once, uploads of one record."""
_LEAST = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds of CPU that one small upload takes of each tier."""

    worker: float
    database: float
    broker: float
    store: float

    @property
    def total(self) -> float:
        """Return what it takes of a machine that runs all of them."""
        return self.worker + self.database + self.broker + self.store


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredDraining:
    """A backlog drained by two processes on the two cores that all servers share.

    Attributes:
        store_ms, others_ms: the round trip that was added before S3, and before SQL and the broker.
    """

    title: str
    rate: float
    costs: Costs
    store_ms: float = 0
    others_ms: float = 0


def costs_of(figures: Sequence[Figure], name: str) -> Costs:
    """Return the costs in one work of the report.

    A report that kept one digit after the point has nothing for less than 0.05 ms.
    """
    seconds = {each.unit: max(each.ours, _LEAST) / 1000 for each in figures if each.name == name}
    return Costs(
        worker=seconds[Unit.WORKER_CPU],
        database=seconds[Unit.SQL_CPU],
        broker=seconds[Unit.BROKER_CPU],
        store=seconds[Unit.S3_CPU],
    )


def measured_draining(figures: Sequence[Figure]) -> list[MeasuredDraining]:
    """Return the drained backlogs of the report."""

    def of(name: str, **distances: float) -> MeasuredDraining:
        [rate] = [each.ours for each in figures if each.name == name and each.unit == Unit.UPLOADS]
        return MeasuredDraining(title=name, rate=rate, costs=costs_of(figures, name), **distances)

    return [
        of(DRAINED),
        of(_DISTANT_S3, store_ms=20),
        of(_EACH_DISTANT, store_ms=2, others_ms=2),
    ]
