"""Turns of the processes of a worker to claim a page."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace

import pytest

from artifact_pipeline.worker.lifecycle import shared_turns
from artifact_pipeline.worker.lifecycle.shared_turns import SharedTurns

PAGE = 0.05
START = 1_000.0


@dataclass
class Clock:
    """A clock that runs while a process waits.

    Attributes:
        then: what happens at a time, once.
    """

    now: float = START
    then: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self.then and self.then[0][0] <= self.now:
            _, happen = self.then.pop(0)
            happen()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    times = SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep)
    monkeypatch.setattr(shared_turns, "time", times)
    return clock


@pytest.fixture
def turns() -> SharedTurns:
    return SharedTurns()


def test_a_process_waits_for_none_while_no_page_is_under_way(
    clock: Clock, turns: SharedTurns
) -> None:
    # Given a page that has ended
    turns.end(turns.take(), is_full=False)
    # When
    turns.take()
    # Then
    assert clock.now == START


def test_a_process_waits_for_the_end_of_anothers_page(clock: Clock, turns: SharedTurns) -> None:
    # Given a page that ends after 20 ms
    clock.then = [(START + 0.02, partial(turns.end, turns.take(), is_full=False))]
    # When
    turn = turns.take()
    # Then
    assert turn == clock.now
    assert clock.now == pytest.approx(START + 0.02, abs=0.003)


def test_a_process_waits_no_longer_for_a_page_that_takes_long_or_whose_process_was_killed(
    clock: Clock, turns: SharedTurns
) -> None:
    # Given a page that does not end, and 30 ms of it are over
    turns.take()
    clock.now += 0.03
    # When
    turns.take()
    # Then the time counts from its start
    assert clock.now == pytest.approx(START + PAGE, abs=0.003)


def test_the_end_of_a_long_page_does_not_end_the_turn_that_has_begun_since(
    clock: Clock, turns: SharedTurns
) -> None:
    # Given two pages, of which the first ends during the second
    first = turns.take()
    turns.take()
    turns.end(first, is_full=False)
    began = clock.now
    # When
    turns.take()
    # Then the second one is waited for
    assert clock.now == pytest.approx(began + PAGE, abs=0.003)


def test_no_process_waits_while_pages_are_full(clock: Clock, turns: SharedTurns) -> None:
    # Given a backlog: the last page was full, and the next is under way
    turns.end(turns.take(), is_full=True)
    turns.take()
    # When
    turns.take()
    # Then
    assert clock.now == START


def test_a_claim_of_nothing_ends_no_backlog(clock: Clock, turns: SharedTurns) -> None:
    # Given a message whose upload another page had
    turns.end(turns.take(), is_full=True)
    turns.end(turns.take(), is_full=None)
    turns.take()
    # When
    turns.take()
    # Then
    assert clock.now == START


def test_processes_wait_again_after_a_page_that_was_not_full(
    clock: Clock, turns: SharedTurns
) -> None:
    # Given
    turns.end(turns.take(), is_full=True)
    turns.end(turns.take(), is_full=False)
    turns.take()
    # When
    turns.take()
    # Then
    assert clock.now > START


@pytest.mark.processes
def test_a_child_that_was_forked_shares_the_turns(clock: Clock, turns: SharedTurns) -> None:
    # Given a child that has begun a page
    child = os.fork()
    if not child:
        turns.take()
        os._exit(0)
    os.waitpid(child, 0)
    # When
    turns.take()
    # Then
    assert clock.now == pytest.approx(START + PAGE, abs=0.003)
