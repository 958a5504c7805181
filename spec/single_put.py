"""A small object: claim, lease, fence, conditional PUT, record, cancel, quarantine, verify.

Contents are numbers, and stand for their ETags as well: an ETag tells bytes apart, not writes. A
PUT that was sent can be carried out at any later moment, also after its sender died, or never.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

Step = tuple[str, "State"]


class Worker(NamedTuple):
    """A worker process.

    Attributes:
        phase: idle, claimed, sent, answered, refused (by S3's condition), late or dead.
        fence: of its claim.
        content: what it sends.
        replaces: the content that its PUT may replace; 0 if there must be none.
    """

    phase: str = "idle"
    fence: int = 0
    content: int = 0
    replaces: int = 0


class Put(NamedTuple):
    """A PUT whose sender does not wait for the answer any more."""

    fence: int
    content: int
    replaces: int


class Look(NamedTuple):
    """A verification between its look and its write."""

    record: int
    bucket: int
    was_done: bool
    doubted_since: bool = False


class State(NamedTuple):
    """A state. `ever` to `moved` only serve the promises, and what follows them are budgets."""

    file: int = 1
    bucket: int = 0
    record: int = 0
    transfer: str = "none"  # requested, running, done, cancelled, quarantined
    fence: int = 0
    is_leased: bool = False
    attempts: int = 0
    has_message: bool = False
    is_doubted: bool = False
    look: Look | None = None
    in_flight: tuple[Put, ...] = ()
    workers: tuple[Worker, ...] = ()
    ever: frozenset[int] = frozenset({0})
    late_record: bool = False
    overwrote: bool = False
    moved: bool = False
    asks: int = 0
    edits: int = 0
    deaths: int = 0
    cancels: int = 0

    @property
    def is_active(self) -> bool:
        return self.transfer in {"requested", "running"}

    def holds(self, worker: Worker) -> bool:
        return self.transfer == "running" and self.fence == worker.fence

    def doubted(self) -> "State":
        look = None if self.look is None else self.look._replace(doubted_since=True)
        return self._replace(is_doubted=True, look=look)

    def ended(self, how: str) -> "State":
        return self._replace(transfer=how, is_leased=False, has_message=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the protocol relies on; each can be switched off, to see what it is for."""

    checks_fence: bool = True
    raises_fence: bool = True
    records_after_put: bool = True
    puts_conditionally: bool = True
    resends_messages: bool = True
    verifies_cancelled: bool = True
    verifies_quarantined: bool = True
    verifies_taken_over: bool = True
    notes_late_writes: bool = True
    waits_for_late_puts: bool = True
    keeps_later_doubts: bool = True
    keeps_doubts_until_repaired: bool = True
    looks_again_after_recording: bool = True
    late_workers_survive: bool = True
    """The one thing that the pipeline cannot see to itself: see docs/protocol.md."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much happens at most."""

    workers: int = 2
    asks: int = 2
    edits: int = 1
    deaths: int = 1
    cancels: int = 1
    in_flight: int = 1
    attempts: int = 2


@dataclass(frozen=True, slots=True)
class SinglePut:
    rules: Rules = Rules()
    bounds: Bounds = Bounds()

    def first(self) -> State:
        return State(workers=(Worker(),) * self.bounds.workers)

    def steps(self, state: State) -> Iterator[Step]:
        from spec import outside, upkeep, worker  # noqa: PLC0415 - they name the State

        for module in (outside, upkeep, worker):
            for step, after in module.steps(state, self.rules, self.bounds):
                yield step, canonical(after)

    def broken(self, state: State) -> str | None:
        from spec.promises import broken_promise  # noqa: PLC0415 - it names the State

        return broken_promise(state)

    def is_unfinished(self, state: State) -> bool:
        return state.is_active or state.is_doubted


def canonical(state: State) -> State:
    """Return the state that stands for all that differ only in names: of workers and fences."""
    seen = {0, state.fence, *(each.fence for each in state.workers + state.in_flight)}
    rank = {fence: n for n, fence in enumerate(sorted(seen))}
    workers = sorted(each._replace(fence=rank[each.fence]) for each in state.workers)
    puts = sorted(each._replace(fence=rank[each.fence]) for each in state.in_flight)
    return state._replace(fence=rank[state.fence], workers=tuple(workers), in_flight=tuple(puts))
