"""What applying retention rules came to."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.retention import DueArtifact, RetentionAction

SHOWN_REFUSALS = 100
"""More are counted, and not kept."""

Sort = tuple[RetentionAction, ArtifactKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An artifact that was not archived or deleted, and why."""

    artifact: Artifact
    action: RetentionAction
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionResult:
    """What became of some artifacts that were due.

    Attributes:
        artifacts: how many were archived or deleted, by action and kind.
        sizes: their bytes.
        skipped: how many had changed, or were archived or deleted by another at that moment.
        refused: how many failed.
        refusals: the first of those.
    """

    artifacts: Counter[Sort] = field(default_factory=Counter)
    sizes: Counter[Sort] = field(default_factory=Counter)
    skipped: int = 0
    refused: int = 0
    refusals: Sequence[Refusal] = ()

    @classmethod
    def of(
        cls, done: Iterable[DueArtifact], refusals: Sequence[Refusal] = (), skipped: int = 0
    ) -> Self:
        """Return the result of these. Args: `done` are those that were archived or deleted."""
        artifacts: Counter[Sort] = Counter()
        sizes: Counter[Sort] = Counter()
        for due in done:
            sort = due.action, due.stored.artifact.kind
            artifacts[sort] += 1
            sizes[sort] += due.stored.object.size
        return cls(
            artifacts=artifacts,
            sizes=sizes,
            skipped=skipped,
            refused=len(refusals),
            refusals=refusals[:SHOWN_REFUSALS],
        )

    def __add__(self, other: Self) -> "RetentionResult":
        return RetentionResult(
            artifacts=self.artifacts + other.artifacts,
            sizes=self.sizes + other.sizes,
            skipped=self.skipped + other.skipped,
            refused=self.refused + other.refused,
            refusals=[*self.refusals, *other.refusals][:SHOWN_REFUSALS],
        )

    def total(self, action: RetentionAction) -> int:
        """Return how many artifacts were archived, or deleted."""
        return sum(number for (each, _), number in self.artifacts.items() if each is action)

    def __str__(self) -> str:
        archived, deleted = map(self.total, (RetentionAction.ARCHIVE, RetentionAction.DELETE))
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        refused = f", {self.refused} refused" if self.refused else ""
        return f"{archived} archived, {deleted} deleted{skipped}{refused}"
