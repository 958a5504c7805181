"""The release of a batch: its members become transfers, each once, whatever dies in between."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

MEMBERS = 3
DEATHS = 2
ONCE = "each member of a batch is requested once"
COMMITTED = "no message of a batch leaves before its row is committed"


class State(NamedTuple):
    """A state of the model of batches.

    Attributes: `requested` counts rows by member; `open` is a release that has not committed.
    """

    released_to: int = 0
    requested: tuple[int, ...] = (0,) * MEMBERS
    sent: frozenset[int] = frozenset()
    done: frozenset[int] = frozenset()
    open: int | None = None
    sent_too_early: bool = False
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class Batches:
    """The model of batches.

    Attributes: `is_atomic` and `publishes_after_commit` can be switched off.
    """

    is_atomic: bool = True
    publishes_after_commit: bool = True

    def first(self) -> State:
        return State()

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        yield from self._release(state)
        for member, rows in enumerate(state.requested):
            if rows and member not in state.sent and member not in state.done:
                yield f"the dispatch sends {member}", state._replace(sent=state.sent | {member})
        for member in state.sent:
            done, sent = state.done | {member}, state.sent - {member}
            if state.requested[member]:
                yield f"{member} is done", state._replace(done=done, sent=sent)
        if state.deaths < DEATHS and state.sent:
            yield "FLUSHALL", state._replace(sent=frozenset(), deaths=state.deaths + 1)

    def _release(self, state: State) -> Iterator[tuple[str, State]]:
        if state.open is None and state.released_to < MEMBERS:
            begun = state._replace(open=state.released_to)
            if not self.publishes_after_commit:
                begun = begun._replace(sent=state.sent | {state.released_to}, sent_too_early=True)
            if not self.is_atomic:
                begun = _inserted(begun, state.released_to)
            yield "a dispatch takes the next member", begun
        if state.open is not None:
            after = state if not self.is_atomic else _inserted(state, state.open)
            yield "it commits", after._replace(open=None, released_to=state.open + 1)
            if state.deaths < DEATHS:
                yield "it dies", state._replace(open=None, deaths=state.deaths + 1)

    def broken(self, state: State) -> str | None:
        if max(state.requested) > 1:
            return ONCE
        return COMMITTED if state.sent_too_early else None

    def is_unfinished(self, state: State) -> bool:
        return len(state.done) < MEMBERS


def _inserted(state: State, member: int) -> State:
    requested = list(state.requested)
    requested[member] += 1
    return state._replace(requested=tuple(requested))
