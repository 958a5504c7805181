"""Versions of objects, in a store that keeps what is replaced or deleted."""

from dataclasses import dataclass, field

from artifact_pipeline.domain.model.objects import ObjectAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """One version of an object, or the object as it is now.

    Attributes:
        version_id: of the version; None for the object as it is now.
        size: bytes; 0 of a delete marker.
        is_marker: whether it only says that the object was deleted.
    """

    address: ObjectAddress
    version_id: str | None = None
    size: int = field(default=0, compare=False)
    is_marker: bool = field(default=False, compare=False)
