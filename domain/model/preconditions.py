"""Preconditions of a write: which object it may find under its key."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Create:
    """The write may find no object."""

    def allows(self, version: str | None) -> bool:
        """Return whether a write may take place. Args: the version found; None for no object."""
        return version is None


@dataclass(frozen=True, slots=True)
class Replace:
    """The write may find only the object of this version."""

    version: str

    def allows(self, version: str | None) -> bool:
        """Return whether a write may take place. Args: the version found; None for no object."""
        return version == self.version


Precondition = Create | Replace


def replacing(version: str | None) -> Precondition:
    """Return the precondition of a write that replaces this version, or creates if it is None."""
    return Create() if version is None else Replace(version)
