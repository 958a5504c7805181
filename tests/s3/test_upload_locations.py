"""The contract of upload URLs over each adapter, and what holds on every S3 server."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import cast

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import (
    ConfigurationError,
    InvalidRequestError,
    LeaseLostError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.fakes import (
    InMemoryArtifacts,
    InMemoryCopier,
    InMemoryReader,
    InMemoryStore,
    InMemoryUploadLocations,
)
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.s3.tiers import tier
from artifact_pipeline.worker.s3.upload_locations import S3UploadLocationRepository
from tests.buckets import create_bucket
from tests.contract.located_uploads_contract import LocatedContract
from tests.contract.upload_locations_contract import (
    CONFIG,
    EXPIRES_IN,
    LOGS,
    NOW,
    PREFIX,
    SMALL,
    Adapter,
    AgeContract,
    ArchiveContract,
    ReadContentContract,
    UploadUrlContract,
)
from tests.s3.steps import Progress, Requests, client_at, source_of, store_of
from tests.servers import Moto


@pytest.fixture
def fake() -> Adapter:
    return _in_memory()


def _in_memory(signed_headers: Mapping[str, str] = MappingProxyType({})) -> Adapter:
    store = InMemoryStore()
    reader = InMemoryReader(store)
    copier = InMemoryCopier(reader, archive_tier="GLACIER")

    def put(address: ObjectAddress, body: bytes) -> None:
        if address.bucket == reader.bucket:
            store.objects[address.key] = body
        else:
            reader.elsewhere[address] = body

    return Adapter(
        InMemoryUploadLocations(reader, copier, EXPIRES_IN, lambda: NOW, signed_headers),
        reader,
        put,
        delete=lambda address: copier.delete([address]),
        described=lambda key: (store.content_types[key], store.metadata[key]),
        url=lambda address: f"https://{address.bucket}.s3.invalid/{address.key}",
        other_bucket="of-times-before",
    )


@pytest.fixture
def on_moto(moto: Moto) -> Adapter:
    return _on_s3(moto.url)


@pytest.fixture
def on_ministack(ministack: Ministack) -> Adapter:
    return _on_s3(ministack.url)


# An adapter takes part with a fixture of its own, named here.
@pytest.fixture(params=["fake", "on_moto", "on_ministack"])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return cast("Adapter", request.getfixturevalue(request.param))


class TestUploadUrl(UploadUrlContract):
    @pytest.fixture(params=["fake", "ministack"])
    def signing_adapter(self, request: pytest.FixtureRequest) -> Adapter:
        """Whose URLs sign the encryption."""
        if request.param == "fake":
            return _in_memory({"x-amz-server-side-encryption": "AES256"})
        return _on_s3(request.getfixturevalue("ministack").url, signs_encryption=True)


class TestReadContent(ReadContentContract):
    pass


class TestAge(AgeContract):
    pass


class TestArchive(ArchiveContract):
    pass


class TestLocated(LocatedContract):
    def test_the_row_names_the_archived_object(self, s3_client: S3Client, bucket: str) -> None:
        # Given one that a worker has recorded
        store, artifact = store_of(s3_client, bucket), CONFIG.artifact
        stored = store.put(
            PREFIX.key(artifact),
            source_of(b"{}"),
            content_type=artifact.kind.content_type,
            metadata=artifact.metadata,
            precondition=Create(),
            progress=Progress(),
        )
        artifacts = InMemoryArtifacts()
        artifacts.write(StoredArtifact(artifact=artifact, object=stored))
        locations = S3UploadLocationRepository(bucket, s3_client=s3_client)
        # When
        location = UploadLocation(store.location(stored.key).url)
        locations.recording_in(artifacts).archive_uploads([location])
        # Then
        row = artifacts.rows[artifact].object
        existing = s3_client.head_object(Bucket=bucket, Key=stored.key)
        assert location.errors == []
        assert (row.version, row.tier_name) == (existing["ETag"], existing["StorageClass"])
        assert (row.sha256, row.tier_name) == (stored.sha256, "GLACIER")


class TestRequests:
    """What it costs, on the server that verifies checksums."""

    @pytest.fixture
    def adapter(self, s3_client: S3Client, bucket: str) -> Adapter:
        repository = S3UploadLocationRepository(
            bucket, s3_client=s3_client, encryption=Encryption("AES256")
        )
        return _adapter_of(s3_client, bucket, repository)

    def test_a_content_is_read_with_two(self, adapter: Adapter, s3_client: S3Client) -> None:
        address = adapter.stored().object.address
        requests = Requests(s3_client)
        adapter.locations.read_content(UploadLocation(f"s3://{address.bucket}/{address.key}"))
        assert requests.names == ["HeadObject", "GetObject"]

    def test_what_is_too_large_is_not_fetched(self, adapter: Adapter, s3_client: S3Client) -> None:
        address = adapter.address("large")
        adapter.put(address, bytes(SMALL + 1))
        requests = Requests(s3_client)
        with pytest.raises(InvalidRequestError):
            adapter.locations.read_content(UploadLocation(f"s3://{address.bucket}/large"))
        assert requests.names == ["HeadObject"]

    def test_what_is_archived_already_costs_none(
        self, adapter: Adapter, s3_client: S3Client
    ) -> None:
        upload, other = adapter.stored(), adapter.stored(LOGS.artifact)
        archived = replace(other, object=replace(other.object, tier=tier("DEEP_ARCHIVE")))
        requests = Requests(s3_client)
        adapter.locations.archive_uploads([upload, archived], "STANDARD")
        assert requests.names == []

    def test_a_copy_is_encrypted(self, adapter: Adapter, s3_client: S3Client) -> None:
        address = adapter.stored().object.address
        adapter.locations.archive_uploads([adapter.found(CONFIG.artifact, address)], "GLACIER_IR")
        head = s3_client.head_object(Bucket=address.bucket, Key=address.key)
        assert head["ServerSideEncryption"] == "AES256"

    def test_by_default_a_url_is_good_for_an_hour(self, adapter: Adapter) -> None:
        assert adapter.locations.expires_in == timedelta(hours=1)


class TestFailures:
    """What the servers of the tests never do, of each repository over a copier in memory."""

    @pytest.fixture(params=["fake", "s3"])
    def adapter(self, request: pytest.FixtureRequest, fake: Adapter) -> Adapter:
        copier = copier_of(fake)
        s3 = S3UploadLocationRepository("bucket", s3_client=client_at(None), copier=copier)
        return {"fake": fake, "s3": replace(fake, locations=s3)}[request.param]

    def test_what_a_copier_cannot_do_is_reported(self, fake: Adapter, adapter: Adapter) -> None:
        # Given an S3 that does not answer for the first
        first, second = adapter.stored(), adapter.stored(LOGS.artifact)
        copier_of(fake).failures = [unavailable := StoreUnavailableError()]
        # When
        summary = adapter.locations.archive_uploads([first, second], "GLACIER")
        # Then
        assert summary.failed == [(first, unavailable)]
        assert [each for each, _ in summary.archived] == [second]

    def test_what_is_no_failure_of_an_object_is_not_swallowed(
        self, fake: Adapter, adapter: Adapter
    ) -> None:
        copier_of(fake).failures = [LeaseLostError()]
        with pytest.raises(LeaseLostError):
            adapter.locations.archive_uploads([adapter.stored()], "GLACIER")

    def test_an_expiry_that_s3_does_not_allow(self, s3_client: S3Client, bucket: str) -> None:
        with pytest.raises(ConfigurationError):
            S3UploadLocationRepository(bucket, expiration_seconds=0, s3_client=s3_client)


def copier_of(fake: Adapter) -> InMemoryCopier:
    return cast("InMemoryUploadLocations", fake.locations).copier


def _on_s3(url: str, *, signs_encryption: bool = False) -> Adapter:
    client = client_at(url)
    bucket = create_bucket(client)
    seconds = int(EXPIRES_IN.total_seconds())
    repository = S3UploadLocationRepository(
        bucket,
        expiration_seconds=seconds,
        s3_client=client,
        signs_encryption=signs_encryption,
        now=lambda: NOW,
    )
    return _adapter_of(client, bucket, repository)


def _adapter_of(client: S3Client, bucket: str, repository: S3UploadLocationRepository) -> Adapter:
    return Adapter(
        repository,
        S3ObjectReader(client=client, bucket=bucket),
        put=lambda address, body: client.put_object(
            Bucket=address.bucket, Key=address.key, Body=body
        ),
        delete=lambda address: client.delete_object(Bucket=address.bucket, Key=address.key),
        described=partial(_described, client, bucket),
        url=lambda address: f"{client.meta.endpoint_url}/{address.bucket}/{address.key}",
        other_bucket=create_bucket(client),
    )


def _described(client: S3Client, bucket: str, key: str) -> tuple[str, dict[str, str]]:
    head = client.head_object(Bucket=bucket, Key=key)
    return head["ContentType"], head["Metadata"]
