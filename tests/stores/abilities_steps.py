"""What the tests of stores with fewer abilities are written with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.embedded.servers import HttpServer
from artifact_pipeline.worker.s3.abilities import Checksum, Copies, Deletes, StoreAbilities
from artifact_pipeline.worker.s3.copying import S3ObjectCopier
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.s3.store import S3ObjectStore
from tests.buckets import create_bucket
from tests.contract import copier_steps, store_contract
from tests.s3.steps import PART, Progress, client_at, put, store_of
from tests.s3.test_store_contract import _body, _described
from tests.stores.lacking import Lack, LackingStore
from tests.stores.s3_requests import served


@dataclass(frozen=True)
class Mode:
    """A store that lacks something, and the settings for it."""

    lacks: frozenset[Lack]
    abilities: StoreAbilities


MODES = {
    "crc32c": Mode(
        frozenset({Lack.SHA256}),
        StoreAbilities(checksum=Checksum.CRC32C, deletes=Deletes.SINGLE, multipart_etags=False),
    ),
    "md5": Mode(
        frozenset({Lack.CHECKSUMS}),
        StoreAbilities(checksum=Checksum.MD5, deletes=Deletes.MD5, multipart_etags=False),
    ),
    "bare": Mode(
        frozenset(Lack) - {Lack.CHECKSUMS, Lack.SHA256},
        StoreAbilities(
            conditional_writes=False,
            checksum=Checksum.READ_BACK,
            copies=Copies.WORKER,
            deletes=Deletes.SINGLE,
            multipart_etags=False,
        ),
    ),
}


@dataclass(frozen=True)
class Lacking:
    """A store that lacks something, and the adapters that are set up for it.

    Attributes:
        direct: a client of the server behind it.
    """

    server: LackingStore
    direct: S3Client
    store: S3ObjectStore
    reader: S3ObjectReader
    copier: S3ObjectCopier

    @property
    def bucket(self) -> str:
        return self.store.bucket

    def body(self, key: str) -> bytes | None:
        return _body(self.direct, self.bucket, key)

    def put(self, key: str, content: bytes) -> str:
        return self.direct.put_object(Bucket=self.bucket, Key=key, Body=content)["ETag"]

    def interrupted(self, content: bytes, at: int) -> str:
        """Return the id of an upload that ended at that checkpoint."""
        progress = Progress(lost_at=at)
        with pytest.raises(LeaseLostError):
            put(self.store, content, progress)
        assert progress.upload_id is not None
        self.server.requests.clear()
        return progress.upload_id


@contextmanager
def lacking(
    behind: HttpServer, *lacks: Lack, abilities: StoreAbilities, part_size: int = PART
) -> Iterator[Lacking]:
    direct = client_at(behind.url)
    bucket = create_bucket(direct)
    server = LackingStore(behind.url, frozenset(lacks))
    with served(server.answer) as port:
        client = client_at(f"http://127.0.0.1:{port}")
        yield Lacking(server, direct, *_adapters(client, bucket, abilities, part_size))


def _adapters(
    client: S3Client, bucket: str, abilities: StoreAbilities, part_size: int
) -> tuple[S3ObjectStore, S3ObjectReader, S3ObjectCopier]:
    reader = S3ObjectReader(client=client, bucket=bucket, abilities=abilities)
    store = store_of(
        client,
        bucket,
        multipart_threshold=part_size,
        part_size=part_size,
        abilities=abilities,
        threads=2,
    )
    copier = S3ObjectCopier(
        client=client,
        bucket=bucket,
        encryption=Encryption(),
        reader=reader,
        threads=2,
        multipart_threshold=part_size,
        part_size=part_size,
        abilities=abilities,
        upload_part_size=part_size,
    )
    return store, reader, copier


def store_adapter(on: Lacking) -> store_contract.Adapter:
    return store_contract.Adapter(
        on.store,
        body=on.body,
        described=partial(_described, on.direct, on.bucket),
        replace=on.put,
        delete=lambda key: on.direct.delete_object(Bucket=on.bucket, Key=key),
    )


def copier_adapter(on: Lacking) -> copier_steps.Adapter:
    def stored(address: ObjectAddress, body: bytes) -> None:
        # As uploads leave it, where the store answers no checksum.
        metadata = {"sha256": sha256(body).hexdigest()}
        on.direct.put_object(Bucket=address.bucket, Key=address.key, Body=body, Metadata=metadata)

    def put_with(address: ObjectAddress, body: bytes, described: dict[str, Any]) -> None:
        metadata = {"sha256": sha256(body).hexdigest(), **described["Metadata"]}
        described = {**described, "Metadata": metadata}
        on.direct.put_object(Bucket=address.bucket, Key=address.key, Body=body, **described)

    return copier_steps.Adapter(
        on.copier,
        on.reader,
        stored,
        body=on.body,
        described=partial(_described, on.direct, on.bucket),
        other_bucket=create_bucket(on.direct),
        put_with=put_with,
        headers=lambda key: dict(on.direct.head_object(Bucket=on.bucket, Key=key)),
        sends=on.copier.by_worker is not None,
        knows_sha256=on.reader.abilities.checks_sha256,
    )


def install_crc32c(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Have a package google_crc32c, which the project does not depend on.

    Where it is not installed another checksum stands in: what the client computes and the server
    compares is one function anyway.
    """
    if find_spec("google_crc32c") is None:
        stand_in = "import zlib\n\n\ndef value(body):\n    return zlib.crc32(body)\n"
        (directory / "google_crc32c.py").write_text(stand_in)
        monkeypatch.syspath_prepend(directory)
