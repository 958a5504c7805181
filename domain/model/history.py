"""Rows of the pipeline's own history: what has ended and may be pruned."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedRows:
    """Numbers of rows, by table; `dead_letters` are in the broker."""

    transfers: int = 0
    batches: int = 0
    batch_members: int = 0
    artifact_events: int = 0
    dead_letters: int = 0

    def __add__(self, other: Self) -> "PrunedRows":
        names = [each.name for each in fields(self)]
        return PrunedRows(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def total(self) -> int:
        return sum(getattr(self, each.name) for each in fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """Some transfers in the order of their ids.

    Attributes:
        prunable: the ids of those that may be pruned.
        last: the id of the last one.
        is_end: whether no older transfer comes after them.
    """

    prunable: Sequence[int]
    last: int
    is_end: bool
