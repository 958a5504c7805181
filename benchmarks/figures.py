"""What is measured, beside what, and the report of it."""

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ROUNDS = 5
OURS = "ours"


class Unit(StrEnum):
    UPLOADS = "uploads/s"
    REQUESTS = "requests/s"
    PRODUCER_CPU = "ms of the producer's CPU a request"
    COMMAND_CPU = "ms of CPU"
    WORKER_CPU = "ms of the workers' CPU an upload"
    SQL_CPU = "ms of PostgreSQL's CPU an upload"
    BROKER_CPU = "ms of Valkey's CPU an upload"
    S3_CPU = "ms of the S3 server's CPU an upload"
    CLAIMS = "claims/s"
    RECORDS = "records/s"
    SPEED = "MiB/s"
    LONE_MEDIAN = "ms to the record, median"
    LONE_P99 = "ms to the record, 99th percentile"
    PEAK_MEMORY = "MiB of memory at the peak"
    S3_REQUESTS = "S3 requests"
    SQL_ROUND_TRIPS = "SQL round trips"
    REDIS_COMMANDS = "Redis commands"
    MESSAGE = "bytes of message"

    @property
    def is_rate(self) -> bool:
        """Whether more of it is better."""
        return self.endswith("/s")

    @property
    def digits(self) -> int:
        """How many digits after the point the report keeps."""
        return 2 if "CPU" in self else 1


Measured = Mapping[Unit, float]
Contender = Callable[[], Measured]
"""Does the work once."""


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    ours: float
    peer: float
    peer_name: str
    unit: Unit

    @property
    def ratio(self) -> float:
        """Ours to the peer's."""
        return self.ours / self.peer

    @property
    def advantage(self) -> float:
        """How many times as good as the peer's ours is; below 1 it is worse."""
        if self.unit.is_rate:
            return self.ratio
        return 1 / self.ratio if self.ratio else math.inf


def in_turns(contenders: Mapping[str, Contender], rounds: int) -> list[dict[str, Measured]]:
    """Return what each measured in each round.

    They take turns, another one first in each round: what the machine does beside, and what is
    left of the one before, is everybody's.
    """
    names = list(contenders)
    measured = []
    for number in range(rounds):
        first = number % len(names)
        order = names[first:] + names[:first]
        measured.append({name: contenders[name]() for name in order})
    return measured


def medians(rounds: Sequence[Mapping[str, Measured]]) -> dict[str, dict[Unit, float]]:
    """Return the median of each contender and unit."""
    seen: dict[str, dict[Unit, list[float]]] = defaultdict(lambda: defaultdict(list))
    for measured in rounds:
        for name, figures in measured.items():
            for unit, value in figures.items():
                seen[name][unit].append(value)
    return {
        name: {unit: statistics.median(values) for unit, values in units.items()}
        for name, units in seen.items()
    }


def interleaved(
    contenders: Mapping[str, Contender], rounds: int = ROUNDS
) -> dict[str, dict[Unit, float]]:
    """Return the medians of each one's rounds, which they do in turns."""
    return medians(in_turns(contenders, rounds))


def compared(name: str, of_each: Mapping[str, Measured]) -> list[Figure]:
    """Ours beside each peer, in every unit that both were measured in."""
    ours = of_each[OURS]
    return [
        Figure(name, ours[unit], peer[unit], peer_name, unit)
        for unit in ours
        for peer_name, peer in of_each.items()
        if peer_name != OURS and unit in peer
    ]


def with_replaced(reported: Sequence[Figure], measured: Sequence[Figure]) -> list[Figure]:
    """Return a report in which the measured figures replace those of the same names."""
    by_name: dict[str, list[Figure]] = {figure.name: [] for figure in (*reported, *measured)}
    renewed = {figure.name for figure in measured}
    for figure in (*(old for old in reported if old.name not in renewed), *measured):
        by_name[figure.name].append(figure)
    return [figure for figures in by_name.values() for figure in figures]


def write_report(figures: Sequence[Figure], path: Path) -> None:
    entries = [
        {
            "name": figure.name,
            "ours": round(figure.ours, figure.unit.digits),
            "peer": round(figure.peer, figure.unit.digits),
            "peer_name": figure.peer_name,
            "ratio": round(figure.ratio, 2),
            "unit": figure.unit.value,
        }
        for figure in figures
    ]
    path.write_text(json.dumps(entries, indent=2) + "\n")


def read_report(path: Path) -> list[Figure]:
    """What `write_report` wrote."""
    return [
        Figure(entry["name"], entry["ours"], entry["peer"], entry["peer_name"], Unit(entry["unit"]))
        for entry in json.loads(path.read_text())
    ]
