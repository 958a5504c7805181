"""The parts in which a large object is sent and fetched."""

from artifact_pipeline.domain.model.kinds import ArtifactKind

MIN_PART = 5 * 2**20
"""A store may refuse a smaller part unless it is the last."""


def smallest_part_size(kind: ArtifactKind, wanted: int) -> int:
    """Return the size in bytes that no part of an artifact of this kind is below, but the last.

    What is packed while it is sent has smaller parts than wanted, unless it is very large.
    """
    return min(wanted, MIN_PART) if kind.is_packed else wanted
