"""1, 2 and 4 worker processes on this machine, with a distant S3, which the model must predict."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from benchmarks.deployment import deployment
from benchmarks.distance import distant
from benchmarks.draining import drained_by
from benchmarks.figures import Unit
from benchmarks.scaling.costs import Costs

_PROCESSES = (1, 2, 4)
_UPLOADS = 320
STORE_MS = 800
"""How far away S3 is. Processes then wait most of the time, whatever else the machine does."""
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredProcesses:
    """What some processes of one worker did, and what of it each tier took.

    Attributes:
        connections: to PostgreSQL, at most, of the worker and its processes.
    """

    processes: int
    rate: float
    costs: Costs
    connections: int


def measure() -> list[MeasuredProcesses]:
    """Drain a backlog by each number of processes, on servers of their own."""
    return [_measured(processes) for processes in _PROCESSES]


def read(path: Path) -> list[MeasuredProcesses]:
    """Read what was measured once."""
    return [
        MeasuredProcesses(**{**row, "costs": Costs(**row["costs"])})
        for row in json.loads(path.read_text())
    ]


def write(path: Path, measured: list[MeasuredProcesses]) -> None:
    """Keep what was measured."""
    rows = [asdict(each) for each in measured]
    path.write_text(f"{json.dumps(rows, indent=2)}\n")


def _measured(processes: int) -> MeasuredProcesses:
    with deployment() as made:
        url = make_url(made.stack.database_url)
        counted: list[int] = []
        libpq = url.render_as_string().replace("+psycopg", "")
        with psycopg.connect(libpq) as watcher, distant(made, s3=STORE_MS) as environment:
            look = partial(_count, watcher, counted)
            found = drained_by(made, processes, _UPLOADS, environment, look)
    return MeasuredProcesses(
        processes=processes,
        rate=found[Unit.UPLOADS],
        costs=Costs(
            worker=found[Unit.WORKER_CPU] / 1000,
            database=found[Unit.SQL_CPU] / 1000,
            broker=found[Unit.BROKER_CPU] / 1000,
            store=found[Unit.S3_CPU] / 1000,
        ),
        # The first look is before the worker connects.
        connections=max(counted) - counted[0],
    )


def _count(watcher: "psycopg.Connection[tuple[int]]", counted: list[int]) -> None:
    row = watcher.execute(_CONNECTIONS).fetchone()
    watcher.rollback()  # else the next look would see the same
    assert row is not None
    counted.append(row[0])
