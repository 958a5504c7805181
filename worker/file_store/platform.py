"""The platform's repositories of uploads and results, over files."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from artifact_pipeline.domain.catalog.located_uploads import LocatedUploads
from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.job_uploads import PlatformUpload
from artifact_pipeline.domain.model.keys import PlatformPrefix
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.platform.repository_shapes import (
    upload_key,
)
from artifact_pipeline.domain.platform.store_repositories import (
    StoredResults,
    StoredUploadLocations,
)
from artifact_pipeline.domain.ports.object_store import IObjectCopier
from artifact_pipeline.domain.ports.platform import url_of
from artifact_pipeline.worker.file_store.reading import FileObjectReader
from artifact_pipeline.worker.file_store.store import FileObjectStore
from artifact_pipeline.worker.file_store.urls import parse_address
from artifact_pipeline.worker.workspace.results_directory import zipped_results

_TRIES = 3


class Unresumed:
    """The progress of a copy that no other attempt continues.

    It keeps no id: the store then removes a copy that fails at once.
    """

    upload_id: str | None = None

    def started(self, upload_id: str) -> None:
        """Do nothing."""

    def checkpoint(self) -> None:
        """Do nothing: no other worker takes it over."""


class FileUploadLocations(StoredUploadLocations):
    """Uploads that are in a store of files. It gives no URLs: nothing serves the directory.

    Args:
        reader: of the store.
        copier: in the store.
        now: the clock that ages go by.
    """

    def __init__(
        self,
        reader: FileObjectReader,
        copier: IObjectCopier,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        uploads = LocatedUploads(
            reader=reader,
            copier=copier,
            address_of=partial(parse_address, roots=(reader.root, *reader.others)),
            progress=Unresumed,
        )
        super().__init__(uploads, now)
        self._root = reader.root

    @property
    def expires_in(self) -> timedelta:
        return timedelta()

    def get_upload_location(
        self, job_upload: PlatformUpload, s3_prefix: PlatformPrefix
    ) -> UploadLocation:
        """Refuse. Raises: InvalidRequestError: a client cannot upload to a directory by a URL."""
        key = upload_key(job_upload, s3_prefix)
        raise InvalidRequestError(
            f"{key}: ARTIFACTS_STORE={self._root.url} has no upload URLs. Write the file to the"
            " workspace and use request_upload, or store artifacts in a bucket"
        )


class FileResults(StoredResults):
    """Results that are stored without a worker.

    Args:
        store: where they go.
        keeps_times: pack the files' times of modification.
        threads: how many files are deflated at once.
    """

    def __init__(self, store: FileObjectStore, *, keeps_times: bool, threads: int) -> None:
        super().__init__(store, partial(zipped_results, keeps_times=keeps_times, threads=threads))
        self._root = store.root

    def get_download_url(
        self,
        location: str | UploadLocation | None = None,
        *,
        results_url: str | None = None,
        expiration_seconds: int | None = None,  # noqa: ARG002 - as the port has it
    ) -> UploadLocation:
        """Refuse. Raises: InvalidRequestError: nothing serves the directory to a client."""
        url_of(location, results_url)  # one of them must be given
        raise InvalidRequestError(
            f"ARTIFACTS_STORE={self._root.url} has no download URLs. Use request_download or"
            " `artifacts jobs uploads download`, or store artifacts in a bucket"
        )
