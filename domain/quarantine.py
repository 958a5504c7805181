"""The quarantine: transfers that were given up, until an operator retries or discards them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from domain.artifacts import ArtifactKind
from domain.errors import ReasonCode
from domain.transfers import Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFilter:
    """Those that fit every criterion given; an empty one leaves all in.

    Attributes:
        older_than: in quarantine for at least so long.
        newer_than: in quarantine for at most so long.
    """

    reasons: frozenset[ReasonCode] = frozenset()
    kinds: frozenset[ArtifactKind] = frozenset()
    job_ids: frozenset[int] = frozenset()
    older_than: timedelta | None = None
    newer_than: timedelta | None = None

    @property
    def is_empty(self) -> bool:
        return self == QuarantineFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySummary:
    """How many transfers go on, and how many do not because the artifact was asked for again."""

    retried: int = 0
    superseded: int = 0


@runtime_checkable
class IQuarantine(Protocol):
    """The quarantined transfers, as an operator works with them."""

    def list(self, which: QuarantineFilter, limit: int) -> Sequence[Transfer]:
        """Return those that fit, newest in the quarantine first."""

    def count(self, which: QuarantineFilter) -> int:
        """Return how many fit."""

    def preview(self, which: QuarantineFilter) -> RetrySummary:
        """Return what `retry` would do now."""

    def retry(self, which: QuarantineFilter) -> RetrySummary:
        """Request the transfers again, from their first attempt; the next dispatch sends them.

        An upload in parts goes on from its parts. A transfer whose artifact was requested again
        stays: the newer transfer counts.
        """

    def discard(self, which: QuarantineFilter) -> int:
        """Cancel the transfers, keep their reasons, and return how many there were."""
