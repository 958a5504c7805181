"""What use cases need of a store that may keep versions and lock them."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.model.object_versions import ObjectVersion


@runtime_checkable
class IObjectVersions(Protocol):
    def all(self, prefix: str) -> Iterator[ObjectVersion]:
        """Yield each version below the prefix, in pages of a thousand, with the delete markers.

        A store without versions has one of each object.
        """

    def delete(self, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, str]:
        """Delete them, with one request for each thousand; one that is gone is no error.

        Without a `version_id` the object is deleted: a store that keeps versions keeps its bytes.

        Returns:
            Those that the store refused, with its code or the error of their request.

        Raises:
            PipelineError: every request failed, or the store is away.
        """

    def has_lock(self) -> bool:
        """Return whether the store can lock objects, so that no program can delete them."""

    def set_legal_hold(self, version: ObjectVersion, *, on: bool) -> None:
        """Lock the version, or release it. Only where the store has locks."""
