"""What use cases need of the quarantine."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.quarantine import RetrySummary
from artifact_pipeline.domain.model.selection import Selection
from artifact_pipeline.domain.model.transfers import Transfer


@runtime_checkable
class IQuarantine(Protocol):
    """The quarantined transfers, as an operator works with them."""

    def list(self, filters: Selection, limit: int) -> Sequence[Transfer]:
        """Return those that fit, newest in the quarantine first."""

    def count(self, filters: Selection) -> int:
        """Return how many fit."""

    def preview(self, filters: Selection) -> RetrySummary:
        """Return what `retry` would do now."""

    def retry(self, filters: Selection, action_id: int | None = None) -> RetrySummary:
        """Request the transfers again, from their first attempt; the next dispatch sends them.

        An upload in parts continues from its parts. A transfer whose artifact was requested again
        stays: the newer transfer counts.

        Args:
            filters: of the transfers.
            action_id: the operator's action in the audit trail, which then notes each job.
        """

    def discard(self, filters: Selection, action_id: int | None = None) -> int:
        """Cancel the transfers, keep their reasons, and return how many there were.

        Args: as `retry`.
        """
