"""Breadth-first search over all states of a model, for the shortest way to a broken promise."""

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

StateT = TypeVar("StateT", bound=Hashable)


class Model(Protocol[StateT]):
    """A system as its first state, its steps, and what must hold in every state."""

    def first(self) -> StateT:
        """Return the state in which it begins."""

    def steps(self, state: StateT) -> Iterator[tuple[str, StateT]]:
        """Yield each step that is possible, with the state after it."""

    def broken(self, state: StateT) -> str | None:
        """Return the promise that the state breaks, if there is one."""

    def is_unfinished(self, state: StateT) -> bool:
        """Return whether work is outstanding, so that a step must be possible."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found.

    Attributes:
        states: how many different states it has seen.
        broken: the promise that does not hold; None if all do.
        trace: the steps that lead there.
        is_whole: whether it has seen all states.
    """

    states: int
    broken: str | None = None
    trace: tuple[str, ...] = ()
    is_whole: bool = True


NOTHING_LOST = "no request is lost: work that is outstanding can go on"


def explore(model: Model[StateT], limit: int | None = None) -> Found:
    """Look at every state that can be reached, or at the nearest ones up to the limit."""
    first = model.first()
    came_from: dict[StateT, tuple[StateT, str] | None] = {first: None}
    todo = deque([first])
    while todo:
        state = todo.popleft()
        broken, following = model.broken(state), list(model.steps(state))
        if broken is None and not following and model.is_unfinished(state):
            broken = NOTHING_LOST
        if broken is not None:
            return Found(len(came_from), broken, _trace(came_from, state))
        for step, after in following:
            if after not in came_from:
                came_from[after] = (state, step)
                todo.append(after)
        if limit is not None and len(came_from) >= limit:
            return Found(len(came_from), is_whole=False)
    return Found(len(came_from))


def _trace(came_from: dict[StateT, tuple[StateT, str] | None], state: StateT) -> tuple[str, ...]:
    steps = []
    while (before := came_from[state]) is not None:
        state, step = before
        steps.append(step)
    return tuple(reversed(steps))
