"""Archive uploads that only their URLs tell, as the platform's calls name them."""

import logging
import mimetypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from artifact_pipeline.domain.each import for_each
from artifact_pipeline.domain.errors import ArtifactMissingError, PipelineError
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact
from artifact_pipeline.domain.model.keys import artifact_at
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.preconditions import Replace
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.object_store import IObjectCopier, IObjectReader, UploadProgress

logger = logging.getLogger(__name__)

_ANY_TYPE = "binary/octet-stream"
"""The type that a store gives to an object that is put without one."""


def is_located(uploads: Sequence[object]) -> bool:
    """Return whether a call names URLs, of either class, and not artifacts that were found."""
    return bool(uploads) and not isinstance(uploads[0], FoundArtifact)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedUploads:
    """Objects of the one bucket, whatever they are called.

    Attributes:
        address_of: reads an object's URL; InvalidRequestError where it is none.
        progress: makes the progress of a copy, which no lease guards.
        artifacts: where those that are recorded get their new class. Without it their rows are
            stale: a copy has another version.
    """

    reader: IObjectReader
    copier: IObjectCopier
    address_of: Callable[[str], ObjectAddress]
    progress: Callable[[], UploadProgress]
    artifacts: IArtifactRepository | None = None

    def filter_by_age(
        self, locations: Sequence[UploadLocation], age_threshold: datetime | None
    ) -> list[UploadLocation]:
        """Return those whose objects were put there before a time; None takes all.

        An object that cannot be looked at is left out. A time without a zone is of this machine's.
        """
        if age_threshold is None:
            return list(locations)
        # SQL has UTC, but the platform's code makes this time by `datetime.now()`.
        before = age_threshold.astimezone()
        looks = for_each(self.find, locations)
        return [location for location, look in looks if _is_older(look, before)]

    def archive(
        self, locations: Sequence[UploadLocation], age_threshold: datetime | None
    ) -> list[UploadLocation]:
        """Move them to an archive tier; what fails with one is appended to its `errors`."""
        old = self.filter_by_age(locations, age_threshold)
        for location, outcome in for_each(lambda one: self._archive(self.find(one)), old):
            if isinstance(outcome, PipelineError):
                name = UploadLocation(location.url).extract_filename() or "upload"
                location.errors.append(f"Failed to archive {name}: {outcome}")
        return old

    def find(self, location: UploadLocation) -> BucketObject:
        """Return the object at the location.

        Raises:
            ArtifactMissingError: there is nothing.
            InvalidRequestError: the URL names no object.
        """
        address = self.address_of(location.url)
        existing = self.reader.find(address)
        if existing is None:
            raise ArtifactMissingError(f"{address.key}: not in the store")
        return existing

    def _archive(self, existing: BucketObject) -> None:
        if existing.address.bucket != self.reader.bucket:
            raise ArtifactMissingError(
                f"{existing.address.key}: in another bucket, relocate it first"
            )
        known = self._row(existing)
        if existing.is_archived:
            self._update(known, existing.tier_name)
            return
        archived = self.copier.copy(
            existing,
            existing.address.key,
            content_type=_content_type(existing.address.key),
            metadata={},  # its own is kept
            precondition=Replace(existing.version),
            tier_name=self.copier.archive_tier,
            progress=self.progress(),
        )
        if known is not None and self.artifacts is not None:
            self.artifacts.replace(replace(known, object=archived), known)

    def _update(self, known: StoredArtifact | None, tier_name: str) -> None:
        if known is None or self.artifacts is None or known.object.tier_name == tier_name:
            return
        now = replace(known.object, tier_name=tier_name)
        self.artifacts.replace(replace(known, object=now), known)

    def _row(self, existing: BucketObject) -> StoredArtifact | None:
        """Return the row that names this object, if there is one."""
        artifact = artifact_at(existing.address.key)
        known = self.artifacts.find(artifact) if self.artifacts and artifact else None
        if known is None or known.object.key != existing.address.key:
            return None
        return known if known.object.version == existing.version else None


def _is_older(look: BucketObject | PipelineError, before: datetime) -> bool:
    if isinstance(look, PipelineError):
        logger.warning("an upload is left out: %s", look)
        return False
    return look.modified_at <= before


def _content_type(key: str) -> str:
    """Return the type that the pipeline stores an object with, or a guess for one of others."""
    artifact = artifact_at(key)
    if artifact is not None:
        return artifact.kind.content_type
    return mimetypes.guess_type(key)[0] or _ANY_TYPE
