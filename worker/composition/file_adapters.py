"""The adapters of a store of files."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.file_store.copying import FileObjectCopier
from artifact_pipeline.worker.file_store.platform import FileResults, FileUploadLocations
from artifact_pipeline.worker.file_store.reading import FileObjectReader
from artifact_pipeline.worker.file_store.restoring import FileObjectRestorer
from artifact_pipeline.worker.file_store.store import FileObjectStore
from artifact_pipeline.worker.file_store.urls import parse_address
from artifact_pipeline.worker.file_store.versions import FileObjectVersions
from artifact_pipeline.worker.settings import BucketSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class FileAdapters:
    """One adapter for each port of the store, on the directories of ARTIFACTS_STORE."""

    def __init__(self, settings: BucketSettings) -> None:
        self._settings = settings
        self._roots = settings.stores

    @property
    def client(self) -> "S3Client":
        """Never. Raises: ConfigurationError."""
        raise ConfigurationError(
            "ARTIFACTS_STORE is a directory, and this needs a bucket: set ARTIFACTS_BUCKET instead"
        )

    @cached_property
    def store(self) -> FileObjectStore:
        return FileObjectStore(
            root=self._roots[0],
            part_size=self._settings.part_size,
            resumable_from=self._settings.multipart_threshold,
        )

    @cached_property
    def reader(self) -> FileObjectReader:
        return FileObjectReader(root=self._roots[0], others=self._roots[1:])

    @cached_property
    def copier(self) -> FileObjectCopier:
        return FileObjectCopier(store=self.store, reader=self.reader)

    @cached_property
    def versions(self) -> FileObjectVersions:
        return FileObjectVersions(reader=self.reader, copier=self.copier)

    @cached_property
    def restorer(self) -> FileObjectRestorer:
        return FileObjectRestorer()

    @cached_property
    def upload_locations(self) -> FileUploadLocations:
        return FileUploadLocations(self.reader, self.copier)

    @cached_property
    def results(self) -> FileResults:
        return FileResults(
            self.store,
            keeps_times=self._settings.keeps_zip_times,
            threads=self._settings.transfer_threads,
        )

    @property
    def address_of(self) -> Callable[[str], ObjectAddress]:
        """Reads the URLs of the store and of the other ones."""
        return partial(parse_address, roots=self._roots)
