"""The quarantine: transfers that were given up, until an operator retries or discards them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from domain.selection import Selection
from domain.transfers import Transfer

QuarantineFilter = Selection
"""The filter that batches use too; here it takes only what is in quarantine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySummary:
    """How many transfers go on, and how many do not because the artifact was asked for again."""

    retried: int = 0
    superseded: int = 0


@runtime_checkable
class IQuarantine(Protocol):
    """The quarantined transfers, as an operator works with them."""

    def list(self, which: Selection, limit: int) -> Sequence[Transfer]:
        """Return those that fit, newest in the quarantine first."""

    def count(self, which: Selection) -> int:
        """Return how many fit."""

    def preview(self, which: Selection) -> RetrySummary:
        """Return what `retry` would do now."""

    def retry(self, which: Selection) -> RetrySummary:
        """Request the transfers again, from their first attempt; the next dispatch sends them.

        An upload in parts continues from its parts. A transfer whose artifact was requested again
        stays: the newer transfer counts.
        """

    def discard(self, which: Selection) -> int:
        """Cancel the transfers, keep their reasons, and return how many there were."""
