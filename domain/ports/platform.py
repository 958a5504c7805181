"""The platform's own repositories of what is in the store. `domain.fakes` has them in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, overload, runtime_checkable

from artifact_pipeline.domain.errors import InvalidRequestError, PipelineError
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact, UnreadableArtifact
from artifact_pipeline.domain.model.job_uploads import JobUpload
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.locations import UploadLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSummary:
    """What became of the uploads that were to be archived.

    Attributes:
        archived: with the object that each is now.
        already: those that are in an archive tier, and are left as they are.
        failed: with the reason.
        planned: those that would be archived, of a dry run.
        other_kinds: those that only a wider choice of kinds archives.
        unreadable: those that cannot be looked at.
    """

    archived: list[tuple[FoundArtifact, StoredObject]] = field(default_factory=list)
    already: list[FoundArtifact] = field(default_factory=list)
    failed: list[tuple[FoundArtifact, PipelineError]] = field(default_factory=list)
    planned: list[FoundArtifact] = field(default_factory=list)
    other_kinds: list[FoundArtifact] = field(default_factory=list)
    unreadable: list[UnreadableArtifact] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentResults:
    """Results that were stored.

    Attributes: `location` is permanent, and not signed.
    """

    object: StoredObject
    location: UploadLocation
    links_left_out: int


@runtime_checkable
class IUploadLocationRepository(Protocol):
    @property
    def expires_in(self) -> timedelta:
        """How long a client may begin to use a URL."""

    @property
    def archive_tier(self) -> str:
        """The tier that uploads are archived to unless another one is named."""

    def get_upload_location(self, job_upload: JobUpload, s3_prefix: JobS3Prefix) -> UploadLocation:
        """Return a URL that a client may put the upload to, with the headers that it must send.

        Raises:
            InvalidRequestError: the prefix is another job's, or it is the results' upload.
            AccessDeniedError: there are no credentials to sign it with.
        """

    def read_content(self, location: UploadLocation) -> bytes:
        """Return the content of a small object, such as a config.

        Raises:
            InvalidRequestError: the URL names no object, or one that is not small.
            ArtifactMissingError: there is nothing.
        """

    @overload
    def filter_by_age(
        self,
        uploads: Sequence[FoundArtifact],
        *,
        days_since_create: float | None = None,
        hours_since_create: float | None = None,
    ) -> list[FoundArtifact]: ...

    @overload
    def filter_by_age(
        self, uploads: Sequence[UploadLocation], age_threshold: datetime | None
    ) -> list[UploadLocation]: ...

    def filter_by_age(self, *args: Any, **kwargs: Any) -> Any:
        """Return those that were put there at least so long ago; given both, the hours count.

        The platform names URLs and a time instead: see `LocatedUploads.filter_by_age`.
        """

    @overload
    def archive_uploads(
        self, uploads: Sequence[FoundArtifact], storage_class: str
    ) -> ArchiveSummary: ...

    @overload
    def archive_uploads(
        self, uploads: Sequence[UploadLocation], *, age_threshold: datetime | None = None
    ) -> list[UploadLocation]: ...

    def archive_uploads(self, *args: Any, **kwargs: Any) -> Any:
        """Move each to the tier of this name; one that fails does not stop the others.

        The platform names URLs and a time instead: see `LocatedUploads.archive`.
        """


@runtime_checkable
class IResultsRepository(Protocol):
    @overload
    def upload_results(
        self, run_id: int, results_dir: Path, s3_prefix: JobS3Prefix
    ) -> SentResults: ...

    @overload
    def upload_results(
        self, job_id: int, run_id: int, zip_content: bytes, s3_prefix: JobS3Prefix
    ) -> UploadLocation: ...

    def upload_results(self, *args: Any, **kwargs: Any) -> Any:
        """Store the RUN* directories, zipped while they are sent, under `run_results_key`.

        `results_dir` holds them, or is itself one of them: its entries are then under its name. The
        platform passes the zip itself instead.

        Raises:
            SourceMissingError, SourceEmptyError, SourceInvalidError: there are no such results.
            ObjectReplacedError: others kept being stored in the meantime.
            InvalidRequestError: the prefix is another job's.
        """

    def get_download_url(
        self,
        location: str | UploadLocation | None = None,
        *,
        results_url: str | None = None,
        expiration_seconds: int | None = None,
    ) -> UploadLocation:
        """Return a URL that a client may get the object with, from a URL of any form.

        Args:
            location: of the object.
            results_url: another name of `location`, which the platform uses.
            expiration_seconds: of the URL; by default the repository's.

        Raises:
            InvalidRequestError: it names no object, or the store allows no such expiry.
        """


def url_of(location: str | UploadLocation | None, results_url: str | None) -> str:
    """Return the URL that `get_download_url` is called with, by either name.

    Raises:
        InvalidRequestError: it is missing or given twice.
    """
    given = [each for each in (location, results_url) if each is not None]
    if len(given) != 1:
        raise InvalidRequestError(
            f"get_download_url: give location or results_url; got {len(given)} of them"
        )
    (one,) = given
    return one if isinstance(one, str) else one.url
