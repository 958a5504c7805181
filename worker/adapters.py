"""One adapter for each port, on connections that are a process's own."""

from collections.abc import Callable
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from domain.addresses import parse_address
from domain.attempts import Attempts
from domain.breaker import Breaker
from domain.circuits import s3_circuit
from domain.download import FetchArtifact
from domain.fetch import Fetch
from domain.locate import LocateArtifacts
from domain.objects import ObjectAddress
from domain.placement import Placement
from domain.retry import Backoff
from worker.database import database_engine
from worker.s3.abilities import StoreAbilities
from worker.s3.client import make_client
from worker.s3.copying import S3ObjectCopier
from worker.s3.encryption import Encryption
from worker.s3.endpoints import endpoint_of, endpoints_of, is_of_aws
from worker.s3.reading import S3ObjectReader
from worker.s3.results import S3ResultsRepository
from worker.s3.store import S3ObjectStore
from worker.s3.upload_locations import S3UploadLocationRepository
from worker.settings import BucketSettings, OperatorSettings
from worker.sql.artifacts import SqlArtifacts
from worker.sql.endpoints import SqlEndpointFailures
from worker.sql.platform import SqlJobs, SqlRuns
from worker.sql.transfers import SqlTransfers

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AWS = "s3.amazonaws.com"


class BucketAdapters:
    """Those of S3."""

    def __init__(self, settings: BucketSettings) -> None:
        self._bucket_settings = settings

    @cached_property
    def client(self) -> "S3Client":
        return make_client(
            self._bucket_settings.s3_endpoint_url,
            self._bucket_settings.transfer_threads,
            bucket=self._bucket_settings.bucket,
            read_timeout_seconds=self._bucket_settings.s3_timeout_seconds,
            addressing=self._bucket_settings.s3_addressing,
        )

    @cached_property
    def public_client(self) -> "S3Client | None":
        """Return the client that only signs: a signature is of one host, the clients' own."""
        settings = self._bucket_settings
        url = settings.s3_public_endpoint_url
        if url is None:
            return None
        return make_client(
            url, threads=1, bucket=settings.bucket, addressing=settings.s3_addressing
        )

    @property
    def encryption(self) -> Encryption:
        return self._bucket_settings.encryption

    @cached_property
    def abilities(self) -> StoreAbilities:
        settings = self._bucket_settings
        return StoreAbilities(
            conditional_writes=settings.s3_conditional_writes,
            checksum=settings.s3_checksum,
            copies=settings.s3_copies,
            deletes=settings.s3_deletes,
            multipart_etags=is_of_aws(endpoint_of(self.client)),
        )

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
    def download_url_expires(self) -> timedelta:
        return timedelta(seconds=self._bucket_settings.download_url_expires)

    @property
    def address_of(self) -> Callable[[str], ObjectAddress]:
        """Reads the URLs of this S3, by its internal and its public endpoint, and of AWS's."""
        endpoints = endpoints_of(self.client, self.public_client)
        return partial(parse_address, endpoints=endpoints)


class Adapters(BucketAdapters):
    """Each is made when it is first asked for, and connects when it is first used.

    Args:
        settings: of the environment.
        owner: of the leases.
    """

    def __init__(self, settings: OperatorSettings, owner: str) -> None:
        super().__init__(settings)
        self._settings = settings
        self._owner = owner

    def forget_parent(self) -> None:
        """In a process that was forked off: leave what is the parent's open, and forget it.

        A connection that two processes share gives each the other's answers.
        """
        inherited = self.__dict__.get("engine")
        if inherited is not None:
            inherited.dispose(close=False)

    def close(self) -> None:
        """Close the connections to the database."""
        opened = self.__dict__.get("engine")
        if opened is not None:
            opened.dispose()

    @cached_property
    def engine(self) -> Engine:
        return database_engine(self._settings)

    @cached_property
    def transfers(self) -> SqlTransfers:
        return SqlTransfers(self.engine)

    @cached_property
    def artifacts(self) -> SqlArtifacts:
        return SqlArtifacts(self.engine)

    @cached_property
    def jobs(self) -> SqlJobs:
        return SqlJobs(self.engine)

    @cached_property
    def runs(self) -> SqlRuns:
        return SqlRuns(self.engine)

    @cached_property
    def placement(self) -> Placement:
        return Placement(jobs=self.jobs, runs=self.runs)

    @cached_property
    def locate(self) -> LocateArtifacts:
        return LocateArtifacts(
            placement=self.placement,
            artifacts=self.artifacts,
            reader=self.reader,
            address_of=self.address_of,
        )

    @cached_property
    def fetch(self) -> FetchArtifact:
        settings = self._settings
        threads = settings.transfer_threads
        fetch = Fetch(reader=self.reader, range_size=settings.part_size, threads=threads)
        return FetchArtifact(locate=self.locate, fetch=fetch)

    @cached_property
    def attempts(self) -> Attempts:
        return self._attempts(self.store.endpoint)

    @property
    def attempts_without_client(self) -> Attempts:
        """For a failure to be recorded while no S3 client can be made."""
        return self._attempts(self._settings.s3_endpoint_url or _AWS)

    def _attempts(self, endpoint: str) -> Attempts:
        settings = self._settings
        return Attempts(
            transfers=self.transfers,
            circuits=(s3_circuit(self._breaker(endpoint)),),
            owner=self._owner,
            lease=settings.lease,
            max_attempts=settings.max_attempts,
            backoff=Backoff(
                timedelta(seconds=settings.backoff_base_seconds),
                timedelta(seconds=settings.backoff_cap_seconds),
            ),
        )

    def _breaker(self, endpoint: str) -> Breaker:
        settings = self._settings
        return Breaker(
            SqlEndpointFailures(self.engine, settings.failures_forgotten_after),
            endpoint,
            threshold=settings.breaker_failures,
            cool_off=timedelta(seconds=settings.breaker_seconds),
        )
