"""The quarantine: transfers that were given up, until an operator retries or discards them."""

from dataclasses import dataclass

from artifact_pipeline.domain.model.selection import Selection

QuarantineFilter = Selection
"""The filter that batches use too; here it takes only what is in quarantine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySummary:
    """How many transfers go on, and how many do not because the artifact was asked for again."""

    retried: int = 0
    superseded: int = 0
