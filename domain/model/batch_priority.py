"""Which batches come first."""

from enum import StrEnum


class BatchPriority(StrEnum):
    """Whose members are released first, where several batches run."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """The higher comes first."""
        return (self.LOW, self.NORMAL, self.HIGH).index(self)
