"""Ids that are made many at once."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest

from artifact_pipeline.domain.model.random_ids import random_uuids, time_ordered_uuids

MILLISECOND = 1_000_000


@pytest.mark.parametrize(("make", "version"), [(random_uuids, 4), (time_ordered_uuids, 7)])
def test_each_is_a_new_uuid(make: Callable[[int], Iterator[str]], version: int) -> None:
    ids = list(make(1_000))
    assert len(set(ids)) == 1_000
    assert all(str(UUID(each)) == each for each in ids)
    assert {(UUID(each).version, UUID(each).variant) for each in ids} == {(version, RFC_4122)}


def test_an_id_begins_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the time of the example in RFC 9562, appendix A.6
    monkeypatch.setattr(time, "time_ns", lambda: 0x017F22E279B0 * MILLISECOND)
    # When
    [made] = time_ordered_uuids(1)
    # Then
    assert made.startswith("017f22e2-79b0-7")


def test_later_ids_are_sorted_behind_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a clock that goes past the boundaries of digits
    times = iter(range(0, 2**17 * MILLISECOND, 97 * MILLISECOND))
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    # When
    ids = [each for _ in range(1_000) for each in time_ordered_uuids(1)]
    # Then
    assert all(earlier < later for earlier, later in pairwise(ids))
