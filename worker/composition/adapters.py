"""One adapter for each port, on connections that are a process's own."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.shifted import ShiftedArtifacts
from artifact_pipeline.domain.errors import ConfigurationError, TransferError
from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.ports.object_store import IObjectCopier, IObjectReader, IObjectStore
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.domain.transfers.circuits import Circuit, store_circuit
from artifact_pipeline.domain.transfers.download import FetchArtifact
from artifact_pipeline.domain.transfers.ranged_download import Fetch
from artifact_pipeline.domain.transfers.relocate import RelocateArtifacts
from artifact_pipeline.domain.transfers.retry import Backoff, RetryPolicy
from artifact_pipeline.domain.transfers.runner import Handler, TransferRunner
from artifact_pipeline.worker.composition.clients import bucket_client, signing_client
from artifact_pipeline.worker.composition.file_adapters import FileAdapters
from artifact_pipeline.worker.composition.repositories import Database, Repositories
from artifact_pipeline.worker.file_store.platform import FileResults, FileUploadLocations
from artifact_pipeline.worker.s3.abilities import StoreAbilities
from artifact_pipeline.worker.s3.copying import S3ObjectCopier
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.endpoints import abilities_of, endpoints_of
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.s3.results import S3ResultsRepository
from artifact_pipeline.worker.s3.store import S3ObjectStore
from artifact_pipeline.worker.s3.upload_locations import S3UploadLocationRepository
from artifact_pipeline.worker.settings import BucketSettings, OperatorSettings
from artifact_pipeline.worker.sql.endpoints import SqlEndpointFailures

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AWS = "s3.amazonaws.com"


class BucketAdapters:
    """The adapters of S3.

    Args:
        settings: of the bucket.
        requests: that may be under way at once, if more than one transfer makes.
    """

    def __init__(self, settings: BucketSettings, requests: int = 0) -> None:
        self._bucket_settings = settings
        self._requests = max(requests, settings.transfer_threads)

    @cached_property
    def client(self) -> "S3Client":
        return bucket_client(self._bucket_settings, self._requests)

    @cached_property
    def public_client(self) -> "S3Client | None":
        return signing_client(self._bucket_settings)

    @property
    def encryption(self) -> Encryption:
        return self._bucket_settings.encryption

    @cached_property
    def abilities(self) -> StoreAbilities:
        return abilities_of(self.client, self._bucket_settings.abilities)

    @cached_property
    def store(self) -> S3ObjectStore:
        settings = self._bucket_settings
        return S3ObjectStore(
            client=self.client,
            bucket=settings.bucket,
            encryption=self.encryption,
            multipart_threshold=settings.multipart_threshold,
            part_size=settings.part_size,
            threads=settings.transfer_threads,
            tags=settings.tags,
            abilities=self.abilities,
        )

    @cached_property
    def reader(self) -> S3ObjectReader:
        bucket = self._bucket_settings.bucket
        return S3ObjectReader(client=self.client, bucket=bucket, abilities=self.abilities)

    @cached_property
    def copier(self) -> S3ObjectCopier:
        return S3ObjectCopier(
            client=self.client,
            bucket=self._bucket_settings.bucket,
            encryption=self.encryption,
            reader=self.reader,
            threads=self._bucket_settings.transfer_threads,
            abilities=self.abilities,
            upload_part_size=self._bucket_settings.part_size,
        )

    @cached_property
    def upload_locations(self) -> S3UploadLocationRepository:
        return S3UploadLocationRepository(
            self._bucket_settings.bucket,
            expiration_seconds=self._bucket_settings.url_expires,
            s3_client=self.client,
            encryption=self.encryption,
            signs_encryption=self._bucket_settings.url_signs_encryption,
            signed_tags=self._bucket_settings.signed_tags,
            copier=self.copier,
            public_client=self.public_client,
            abilities=self.abilities,
        )

    @cached_property
    def results(self) -> S3ResultsRepository:
        settings = self._bucket_settings
        return S3ResultsRepository(
            settings.bucket,
            expiration_seconds=settings.download_url_expires,
            s3_client=self.client,
            encryption=self.encryption,
            multipart_threshold=settings.multipart_threshold,
            part_size=settings.part_size,
            threads=settings.transfer_threads,
            keeps_times=settings.keeps_zip_times,
            tags=settings.tags,
            public_client=self.public_client,
            abilities=self.abilities,
        )

    @property
    def address_of(self) -> Callable[[str], ObjectAddress]:
        """Reads the URLs of this S3, by its internal and its public endpoint, and of AWS's."""
        endpoints = endpoints_of(self.client, self.public_client)
        return partial(parse_address, endpoints=endpoints)


StoreAdapters = BucketAdapters | FileAdapters


def store_adapters(settings: BucketSettings, requests: int = 0) -> StoreAdapters:
    """Return the adapters of the store that the settings choose. Args: as `BucketAdapters`."""
    return FileAdapters(settings) if settings.store else BucketAdapters(settings, requests)


def locate_artifacts(
    bucket: "StoreAdapters | Adapters", repositories: Repositories
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
        requests: as `BucketAdapters`.
    """

    def __init__(self, settings: OperatorSettings, owner: str, requests: int = 0) -> None:
        super().__init__(settings)
        self._settings = settings
        self._owner = owner
        self._of_store = store_adapters(settings, requests)

    @property
    def client(self) -> "S3Client":
        """The client of S3. Raises: ConfigurationError: ARTIFACTS_STORE is a directory."""
        if isinstance(self._of_store, FileAdapters):
            raise ConfigurationError("ARTIFACTS_STORE is a directory, which has no client of S3")
        return self._of_store.client

    @cached_property
    def store(self) -> IObjectStore:
        return self._of_store.store

    @cached_property
    def reader(self) -> IObjectReader:
        return self._of_store.reader

    @cached_property
    def copier(self) -> IObjectCopier:
        return self._of_store.copier

    @property
    def upload_locations(self) -> S3UploadLocationRepository | FileUploadLocations:
        return self._of_store.upload_locations

    @property
    def results(self) -> S3ResultsRepository | FileResults:
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
    ) -> TransferRunner:
        """Return what runs transfers.

        Args:
            handler_of: makes the handler of a direction.
            circuits: of other resources than S3.
            retries: as `RetryPolicy`.
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
        )

    def _circuit(self) -> Circuit:
        try:
            return self._circuit_of_client
        except TransferError:
            # Not kept: a failure must be recorded while no S3 client can be made.
            return self._s3_circuit(self._settings.s3_endpoint_url or _AWS)

    @cached_property
    def _circuit_of_client(self) -> Circuit:
        return self._s3_circuit(self.store.endpoint)

    def _s3_circuit(self, endpoint: str) -> Circuit:
        settings = self._settings
        breaker = Breaker(
            SqlEndpointFailures(self.engine, settings.failures_forgotten_after),
            endpoint,
            threshold=settings.breaker_failures,
            cool_off=timedelta(seconds=settings.breaker_seconds),
        )
        return store_circuit(breaker, "S3")
