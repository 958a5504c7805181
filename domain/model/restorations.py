"""Restored copies of archived objects: readable for some days, while the object stays archived."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RestoreSpeed(StrEnum):
    """How soon an archived object is readable; the sooner, the more it costs."""

    EXPEDITED = "expedited"
    STANDARD = "standard"
    BULK = "bulk"


class RestorePhase(StrEnum):
    ARCHIVED = "archived"
    """It cannot be read, and no restore is under way."""
    RESTORING = "restoring"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """What is known of an archived object's restored copy.

    Attributes:
        is_under_way: whether the store is still at it.
        until: when the restored copy ends, by the store's clock.
    """

    is_under_way: bool = False
    until: datetime | None = None

    @property
    def is_known(self) -> bool:
        """Return whether the object was ever restored, or is being restored."""
        return self.is_under_way or self.until is not None

    def phase(self, now: datetime) -> RestorePhase:
        """Return the phase at this time."""
        if self.is_under_way:
            return RestorePhase.RESTORING
        is_readable = self.until is not None and now < self.until
        return RestorePhase.RESTORED if is_readable else RestorePhase.ARCHIVED


NOT_RESTORED = Restoration()
