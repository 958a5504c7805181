"""Stores whose ETags of multipart objects look like digests, and are none."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from artifact_pipeline.domain.errors import ChecksumMismatchError, LeaseLostError
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.abilities import Checksum, StoreAbilities
from tests.contract.copier_steps import OLD_KEY, copy
from tests.s3.steps import KEY, PART, Progress, put, put_in_parts, random_bytes
from tests.stores.abilities_steps import Lacking, lacking
from tests.stores.lacking import Lack

pytestmark = pytest.mark.processes

CONTENT = random_bytes(2 * PART + 1)
SMALL = CONTENT[:100]
PARTS = 3


@pytest.fixture
def on(ministack: Ministack) -> Iterator[Lacking]:
    abilities = StoreAbilities(multipart_etags=False)
    lacks = (Lack.CHECKS, Lack.PART_ETAGS, Lack.UNEQUAL_PARTS)
    with lacking(ministack, *lacks, abilities=abilities) as on:
        yield on


@pytest.fixture
def everywhere(ministack: Ministack) -> Iterator[Lacking]:
    abilities = StoreAbilities(checksum=Checksum.READ_BACK, multipart_etags=False)
    with lacking(ministack, Lack.CHECKS, Lack.ETAGS, abilities=abilities) as on:
        yield on


def of_parts(on: Lacking, key: str = OLD_KEY) -> BucketObject:
    """Return an object that a client has uploaded in parts, without a checksum."""
    parts = (CONTENT[start : start + PART] for start in range(0, len(CONTENT), PART))
    put_in_parts(on.direct, on.bucket, parts, key)
    return found(on, key)


def found(on: Lacking, key: str) -> BucketObject:
    source = on.reader.find(ObjectAddress(on.bucket, key))
    assert source is not None
    return source


def read(on: Lacking, source: BucketObject) -> bool:
    """Read and verify it; return whether anything but the size was compared."""
    verifier = on.reader.verifier(source)
    for chunk in on.reader.read(source):
        verifier.update(chunk)
    verifier.check()
    return verifier.is_sure


def test_a_download_is_not_compared_with_the_etag_of_a_multipart_object(on: Lacking) -> None:
    # Given
    source = of_parts(on)
    assert source.version.strip('"') != of_md5s()
    assert source.version.endswith(f'-{PARTS}"')
    # When / Then
    assert read(on, source) is False


def test_the_etag_of_one_put_is_compared(on: Lacking) -> None:
    on.put(KEY, SMALL)
    assert read(on, found(on, KEY)) is True


def test_no_etag_is_compared_where_none_is_a_digest(everywhere: Lacking) -> None:
    everywhere.put(KEY, SMALL)
    assert read(everywhere, found(everywhere, KEY)) is False


def test_an_upload_goes_by_its_own_checksum(on: Lacking) -> None:
    stored = put(on.store, CONTENT)
    assert (stored.version, on.store.holds(stored)) == (on.store.version(KEY), True)
    assert read(on, found(on, KEY)) is False


@pytest.mark.parametrize("content", [SMALL, CONTENT], ids=["one part", "several parts"])
def test_a_copy_by_the_store_is_read_back(on: Lacking, content: bytes) -> None:
    # Given
    on.put(OLD_KEY, content)
    source = found(on, OLD_KEY)
    on.server.requests.clear()
    # When
    copied = copy(on.copier, source)
    # Then
    assert copied.sha256 == hashlib.sha256(content).hexdigest()
    assert on.server.requests[-2:] == ["HeadObject", "GetObject"]
    assert on.body(KEY) == content


def test_a_copy_of_other_bytes_is_noticed(on: Lacking) -> None:
    # Given a store that copies something else
    on.put(OLD_KEY, SMALL)
    on.put("another", SMALL[::-1])
    source = found(on, OLD_KEY)

    def mistake(params: dict[str, Any], **_: object) -> None:
        params["headers"]["x-amz-copy-source"] = f"{on.bucket}/another"
        del params["headers"]["x-amz-copy-source-if-match"]

    on.copier.client.meta.events.register("before-call.s3.UploadPartCopy", mistake)
    # When / Then
    with pytest.raises(ChecksumMismatchError):
        copy(on.copier, source)


def test_copied_parts_of_an_attempt_before_are_copied_again(on: Lacking) -> None:
    # Given
    source, progress = of_parts(on), Progress(lost_at=len(CONTENT) // 2**20 + 1 + PARTS + 1)
    with pytest.raises(LeaseLostError):
        copy(on.copier, source, progress=progress)
    assert progress.upload_id is not None
    on.server.requests.clear()
    # When
    copy(on.copier, source, progress=Progress(progress.upload_id))
    # Then
    assert on.server.requests.count("UploadPartCopy") == PARTS
    assert on.body(KEY) == CONTENT


def of_md5s() -> str:
    md5s = [
        hashlib.md5(CONTENT[start : start + PART], usedforsecurity=False).digest()
        for start in range(0, len(CONTENT), PART)
    ]
    return f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{PARTS}"
