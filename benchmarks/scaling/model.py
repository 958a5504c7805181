"""A closed queueing network: worker processes that go round between the tiers.

Each process is a customer. It claims a page, sends it, and records it; its visits at a tier wait
for the visits of others. Mean value analysis gives the throughput and the queue of each tier for 1,
2, 3 … processes. A tier with several cores counts as one fast server and a delay (Seidmann), which
is exact for one process and for a saturated tier, and a little low between.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.scaling.costs import PAGE_SIZE, PAGE_THREADS, RECORDED_TOGETHER, Costs


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What processes wait for.

    Attributes:
        seconds: of one of its cores, for one upload.
    """

    name: str
    seconds: float
    cores: int = 1

    @property
    def limit(self) -> float:
        """Return the uploads per second that it can do at most."""
        return self.cores / self.seconds


@dataclass(frozen=True, slots=True)
class Point:
    """A number of processes, what they do together, and how many of them are at each tier."""

    processes: int
    rate: float
    at_tier: dict[str, float]


def throughput(tiers: Sequence[Tier], alone: float, processes: int) -> Iterator[Point]:
    """Yield a point for each number of processes.

    Args:
        tiers: that all processes share.
        alone: seconds for one upload that a process shares with no other: its own CPU, and round
            trips.
        processes: the largest number.
    """
    fast = {tier.name: tier.seconds / tier.cores for tier in tiers}
    delays = {tier.name: tier.seconds - fast[tier.name] for tier in tiers}
    queues = dict.fromkeys(fast, 0.0)
    for number in range(1, processes + 1):
        waits = {name: seconds * (1 + queues[name]) for name, seconds in fast.items()}
        rate = number / (alone + sum(delays.values()) + sum(waits.values()))
        queues = {name: rate * wait for name, wait in waits.items()}
        at_tier = {name: queues[name] + rate * delays[name] for name in queues}
        yield Point(number, rate, at_tier)


def round_trips(store_ms: float, others_ms: float) -> float:
    """Return the seconds that one upload of a full page waits for the network.

    A page of 32 is claimed by one statement, sent by eight threads, and recorded by two.
    """
    puts = PAGE_SIZE / PAGE_THREADS * store_ms
    statements = (1 + PAGE_SIZE / RECORDED_TOGETHER) * others_ms
    return (puts + statements) / PAGE_SIZE / 1000


def one_machine(costs: Costs, cores: int) -> list[Tier]:
    """Return the machine of the benchmarks, whose cores all tiers share."""
    return [Tier(name="machine", seconds=costs.total, cores=cores)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Servers on machines of their own.

    Attributes:
        puts_per_second: that the store takes; for S3, of one prefix.
    """

    database_cores: int = 8
    puts_per_second: float = 3_500
    store_ms: float = 20
    others_ms: float = 1

    def tiers(self, costs: Costs) -> list[Tier]:
        """Return the tiers that its workers share."""
        return [
            Tier(name="PostgreSQL", seconds=costs.database, cores=self.database_cores),
            # Redis and Valkey run commands on one core.
            Tier(name="broker", seconds=costs.broker),
            Tier(name="store", seconds=1 / self.puts_per_second),
        ]

    def points(self, costs: Costs, processes: int) -> list[Point]:
        """Return what 1, 2, 3 … processes do, each on its own core."""
        alone = costs.worker + round_trips(self.store_ms, self.others_ms)
        return list(throughput(self.tiers(costs), alone, processes))
