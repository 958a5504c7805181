"""What use cases need of retention rules, and of the artifacts that they are about."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.retention import (
    DueAmounts,
    RecordedRule,
    RetentionPage,
    RetentionRule,
)


@runtime_checkable
class IRetentionRules(Protocol):
    """Retention rules by name. Each call is one transaction."""

    def set(self, rule: RetentionRule, set_by: str, reason: str) -> bool:
        """Add the rule, or replace the one of its name. Return whether there was none.

        Raises:
            InvalidRequestError: there are too many rules.
        """

    def remove(self, name: str) -> bool:
        """Remove the rule. Return whether there was one."""

    def all(self) -> Sequence[RecordedRule]:
        """Return every rule, by name."""


@runtime_checkable
class IDueArtifacts(Protocol):
    """Artifacts that are old enough for a rule, by the database's clock.

    The age of an artifact counts from when it was recorded. An artifact that several rules select
    is treated as `most_protective` says. Left out are artifacts

    - that have an active transfer,
    - that are to be archived and are in an archive already,
    - whose rows are of another job that had the same id, or whose job the platform does not have.

    Each call reads a limited number of rows.
    """

    def page(self, rules: Sequence[RetentionRule], *, after: int, limit: int) -> RetentionPage:
        """Return the next due artifacts, except artifacts of jobs on legal hold.

        Args:
            rules: all that there are.
            after: where the page begins; 0 for the first.
            limit: how many artifacts it has at most. It may have fewer, or none, and not be the
                last.
        """

    def count(
        self, rules: Sequence[RetentionRule], *, after: int, of_rule: str | None = None
    ) -> DueAmounts:
        """Return how much is due in the next range of rows, legal holds apart.

        Args:
            rules: all that there are.
            after: where the range begins; 0 for the first.
            of_rule: the name of a rule; count only artifacts that it selects.
        """

    def position(self) -> int:
        """Return where the periodic pass continues; 0 for the beginning."""

    def keep_position(self, position: int) -> None:
        """Let the periodic pass continue after this row; 0 for from the beginning."""
