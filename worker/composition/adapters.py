"""One adapter for each port, on connections that are a process's own."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from artifact_pipeline.domain.catalog.delete_job import DeleteArtifacts
from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.shifted import ShiftedArtifacts
from artifact_pipeline.domain.catalog.verify import VerifyJob
from artifact_pipeline.domain.errors import TransferError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from artifact_pipeline.domain.ports.object_store import IObjectCopier, IObjectReader, IObjectStore
from artifact_pipeline.domain.ports.object_versions import IObjectVersions
from artifact_pipeline.domain.ports.restorations import IObjectRestorer
from artifact_pipeline.domain.ports.tracing import NoTracing, Tracing
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.domain.transfers.circuits import Circuit, store_circuit
from artifact_pipeline.domain.transfers.download import FetchArtifact
from artifact_pipeline.domain.transfers.ranged_download import Fetch
from artifact_pipeline.domain.transfers.read import ResumedReads
from artifact_pipeline.domain.transfers.relocate import RelocateArtifacts
from artifact_pipeline.domain.transfers.retry import Backoff, RetryPolicy
from artifact_pipeline.domain.transfers.runner import Handler, TransferRunner, leave
from artifact_pipeline.worker.composition.repositories import Database, Repositories
from artifact_pipeline.worker.settings import BucketSettings, OperatorSettings
from artifact_pipeline.worker.sql.endpoint_failures import SqlEndpointFailures
from artifact_pipeline.worker.sql.restorations import SqlRestorations

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from artifact_pipeline.worker.composition.bucket_adapters import BucketAdapters
    from artifact_pipeline.worker.composition.file_adapters import FileAdapters
    from artifact_pipeline.worker.file_store.platform import FileResults, FileUploadLocations
    from artifact_pipeline.worker.s3.results import S3ResultsRepository
    from artifact_pipeline.worker.s3.upload_locations import S3UploadLocationRepository

_AWS = "s3.amazonaws.com"
STORE = "artifacts.store"
"""The prefix of the names of steps."""
OF_STORE = ("put", "version", "holds", "abort")
OF_READER = ("find",)
OF_COPIER = ("copy",)
"""The calls that are steps of an attempt: each is one request, or a group of them."""


def store_adapters(settings: BucketSettings, requests: int = 0) -> "BucketAdapters | FileAdapters":
    """Return the adapters of the store that the settings choose, and load no other ones.

    Args:
        settings: of the bucket or the store.
        requests: that may be under way at once, if more than one transfer makes.
    """
    # boto3 takes longer to load than all else, and a store of files needs none of it.
    if settings.store:
        from artifact_pipeline.worker.composition.file_adapters import (  # noqa: PLC0415
            FileAdapters,
        )

        return FileAdapters(settings)
    from artifact_pipeline.worker.composition.bucket_adapters import (  # noqa: PLC0415
        BucketAdapters,
    )

    return BucketAdapters(settings, requests)


def locate_artifacts(
    bucket: "BucketAdapters | FileAdapters | Adapters", repositories: Repositories
) -> LocateArtifacts:
    """Return what finds the artifacts that these repositories know in the bucket."""
    return LocateArtifacts(
        placement=repositories.placement,
        artifacts=repositories.artifacts,
        reader=bucket.reader,
        address_of=bucket.address_of,
    )


class Adapters(Database):
    """Each is made when it is first asked for, and connects when it is first used.

    Args:
        settings: of the environment.
        owner: of the leases.
        requests: as `store_adapters`.
        new_tracing: makes what traces of this process go to.
        workspace: the name of the only one whose transfers are claimed.
    """

    def __init__(
        self,
        settings: OperatorSettings,
        owner: str,
        requests: int = 0,
        new_tracing: Callable[[], Tracing] = NoTracing,
        *,
        workspace: str | None = None,
    ) -> None:
        super().__init__(settings)
        self.workspace = workspace
        self._settings = settings
        self._owner = owner
        self._new_tracing = new_tracing
        self._of_store = store_adapters(settings, requests)

    @property
    def client(self) -> "S3Client":
        """The client of S3. Raises: ConfigurationError: ARTIFACTS_STORE is a directory."""
        return self._of_store.client

    @cached_property
    def tracing(self) -> Tracing:
        return self._new_tracing()

    def close_tracing(self) -> None:
        """Send the traces that are not sent yet."""
        if "tracing" in vars(self):
            self.tracing.close()

    @cached_property
    def store(self) -> IObjectStore:
        return self.tracing.traced(self._of_store.store, STORE, OF_STORE)

    @cached_property
    def reader(self) -> IObjectReader:
        return self.tracing.traced(self._of_store.reader, STORE, OF_READER)

    @cached_property
    def copier(self) -> IObjectCopier:
        return self.tracing.traced(self._of_store.copier, STORE, OF_COPIER)

    @cached_property
    def versions(self) -> IObjectVersions:
        return self._of_store.versions

    @cached_property
    def restorer(self) -> IObjectRestorer:
        return self._of_store.restorer

    @cached_property
    def restorations(self) -> SqlRestorations:
        return SqlRestorations(self.engine)

    @property
    def upload_locations(self) -> "S3UploadLocationRepository | FileUploadLocations":
        return self._of_store.upload_locations

    @property
    def results(self) -> "S3ResultsRepository | FileResults":
        return self._of_store.results

    @property
    def download_url_expires(self) -> timedelta:
        return timedelta(seconds=self._settings.download_url_expires)

    @property
    def address_of(self) -> Callable[[str], ObjectAddress]:
        return self._of_store.address_of

    @cached_property
    def locate(self) -> LocateArtifacts:
        return locate_artifacts(self, self)

    @property
    def verify(self) -> VerifyJob:
        return VerifyJob(
            locate=self.locate, transfers=self.transfers, reads=ResumedReads(reader=self.reader)
        )

    @property
    def delete(self) -> DeleteArtifacts:
        return DeleteArtifacts(
            locate=self.locate,
            versions=self.versions,
            transfers=self.transfers,
            tombstones=self.tombstones,
            holds=self.legal_holds,
        )

    @cached_property
    def fetch(self) -> FetchArtifact:
        settings = self._settings
        threads = settings.transfer_threads
        fetch = Fetch(reader=self.reader, range_size=settings.part_size, threads=threads)
        return FetchArtifact(locate=self.locate, fetch=fetch)

    def relocate(self, shifted: ShiftedArtifacts | None = None) -> RelocateArtifacts:
        """Return the handler of relocations. Args: `shifted` as `RelocateArtifacts`."""
        return RelocateArtifacts(
            locate=self.locate, copier=self.copier, store=self.store, shifted=shifted
        )

    def runner(
        self,
        handler_of: Callable[[Direction], Handler],
        circuits: Sequence[Circuit] = (),
        *,
        retries: bool = True,
        hand_on: Callable[[Transfer], None] = leave,
    ) -> TransferRunner:
        """Return what runs transfers.

        Args:
            handler_of: makes the handler of a direction.
            circuits: of other resources than S3.
            retries: as `RetryPolicy`.
            hand_on: as `TransferRunner`; by default the dispatch sends the message.
        """
        settings = self._settings
        policy = RetryPolicy(
            max_attempts=settings.max_attempts,
            backoff=Backoff(
                timedelta(seconds=settings.backoff_base_seconds),
                timedelta(seconds=settings.backoff_cap_seconds),
            ),
            circuits=(self._circuit(), *circuits),
            retries=retries,
        )
        return TransferRunner(
            transfers=self.transfers,
            handler_of=handler_of,
            policy=policy,
            owner=self._owner,
            lease=settings.lease,
            tracing=self.tracing,
            workspace=self.workspace,
            hand_on=hand_on,
        )

    def _circuit(self) -> Circuit:
        try:
            return self._circuit_of_client
        except TransferError:
            # Do not keep it: a failure must be recorded while no S3 client can be made.
            return self._store_circuit(self._settings.s3_endpoint_url or _AWS)

    @cached_property
    def _circuit_of_client(self) -> Circuit:
        return self._store_circuit(self.store.endpoint)

    def _store_circuit(self, endpoint: str) -> Circuit:
        settings = self._settings
        breaker = Breaker(
            SqlEndpointFailures(self.engine, settings.failures_forgotten_after),
            endpoint,
            threshold=settings.breaker_failures,
            cool_off=timedelta(seconds=settings.breaker_seconds),
        )
        return store_circuit(breaker, "store" if settings.store else "S3")
