"""Which of the quarantined transfers are meant."""

from dataclasses import dataclass
from datetime import timedelta

from domain.artifacts import ArtifactKind
from domain.errors import ReasonCode


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
