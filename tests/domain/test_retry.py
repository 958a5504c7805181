import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retry import Backoff


@given(
    attempt=st.integers(1, 10**9),
    base=st.timedeltas(timedelta(milliseconds=1), timedelta(hours=1)),
    cap=st.timedeltas(timedelta(milliseconds=1), timedelta(days=1)),
)
def test_a_delay_is_between_zero_and_its_ceiling(
    attempt: int, base: timedelta, cap: timedelta
) -> None:
    ceiling = base * 2 ** (attempt - 1) if attempt <= 30 else cap
    assert timedelta(0) <= Backoff(base, cap).delay(attempt) <= min(cap, ceiling)


def test_the_ceiling_doubles_up_to_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    delays = [Backoff().delay(attempt).total_seconds() for attempt in range(1, 12)]
    assert delays == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]


def test_the_jitter_reaches_down_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)
    assert Backoff().delay(7) == timedelta(0)


def test_two_workers_do_not_come_back_together() -> None:
    assert len({Backoff().delay(9) for _ in range(20)}) > 1
