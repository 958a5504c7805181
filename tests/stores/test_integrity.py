"""What proves that a store has the bytes that were sent, where it does not check SHA-256."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    LeaseLostError,
    ObjectReplacedError,
)
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.abilities import Checksum, StoreAbilities
from artifact_pipeline.worker.s3.integrity import Integrity, integrity_of
from artifact_pipeline.worker.s3.multipart import SentPart
from tests.s3.steps import KEY, PART, Progress, put, random_bytes
from tests.stores.abilities_steps import Lacking, install_crc32c, lacking
from tests.stores.lacking import Lack, crc32c

if TYPE_CHECKING:
    from tests.stores.s3_requests import Request

SMALL = random_bytes(1000)
CONTENT = random_bytes(2 * PART + 1)
PARTS = 3
ALL_PARTS_SENT = PARTS + 1
"""The checkpoint before the object is completed."""
LACKS = {
    Checksum.CRC32C: Lack.SHA256,
    Checksum.MD5: Lack.CHECKSUMS,
    Checksum.READ_BACK: Lack.CHECKS,
}
each_size = pytest.mark.parametrize("content", [SMALL, CONTENT], ids=["small", "large"])
each_way = pytest.mark.parametrize("on", LACKS, indirect=True)


@pytest.fixture
def on(
    request: pytest.FixtureRequest,
    ministack: Ministack,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Lacking]:
    """A store that has just what this way to check needs."""
    install_crc32c(monkeypatch, tmp_path)
    checksum: Checksum = request.param
    with lacking(ministack, LACKS[checksum], abilities=StoreAbilities(checksum=checksum)) as on:
        yield on


def only(*checksums: Checksum) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("on", checksums, indirect=True)


class TestWhatIsSent:
    @only(Checksum.MD5)
    def test_each_put_and_part_carries_its_md5(self, on: Lacking) -> None:
        # Given
        sent: list[Request] = []
        on.server.before = sent.append
        # When
        put(on.store, SMALL)
        put(on.store, CONTENT, key="large")
        # Then
        bodies = [each for each in sent if each.operation in {"PutObject", "UploadPart"}]
        assert len(bodies) == 1 + PARTS
        for each in bodies:
            digest = hashlib.md5(each.body, usedforsecurity=False).digest()
            assert each.headers["content-md5"] == base64.b64encode(digest).decode()

    @only(Checksum.CRC32C)
    def test_each_put_and_part_carries_its_crc32c(self, on: Lacking) -> None:
        # Given
        sent: list[Request] = []
        on.server.before = sent.append
        # When
        put(on.store, SMALL)
        put(on.store, CONTENT, key="large")
        # Then
        bodies = [each for each in sent if each.operation in {"PutObject", "UploadPart"}]
        assert len(bodies) == 1 + PARTS
        assert all(each.headers["x-amz-checksum-crc32c"] == crc32c(each.body) for each in bodies)
        [begun] = [each for each in sent if each.operation == "CreateMultipartUpload"]
        assert begun.headers["x-amz-checksum-algorithm"] == "CRC32C"

    @only(Checksum.READ_BACK)
    @each_size
    def test_the_object_is_read_after_the_write(self, on: Lacking, content: bytes) -> None:
        put(on.store, content)
        assert on.server.requests[-2:] == ["HeadObject", "GetObject"]

    @only(Checksum.CRC32C, Checksum.MD5)
    @each_size
    def test_where_the_store_checks_nothing_is_read(self, on: Lacking, content: bytes) -> None:
        put(on.store, content)
        assert not {"HeadObject", "GetObject"} & {*on.server.requests}

    @each_way
    @each_size
    def test_the_sha256_is_that_of_the_bytes(self, on: Lacking, content: bytes) -> None:
        assert put(on.store, content).sha256 == hashlib.sha256(content).hexdigest()


class TestOtherBytes:
    """A store that changes the bytes after it has checked them, or without a check."""

    @only(Checksum.MD5, Checksum.READ_BACK)
    @each_size
    def test_are_noticed(self, on: Lacking, content: bytes) -> None:
        on.server.corrupts = True
        with pytest.raises(ChecksumMismatchError):
            put(on.store, content)

    @only(Checksum.MD5, Checksum.READ_BACK)
    @each_size
    def test_are_replaced_by_the_next_attempt(self, on: Lacking, content: bytes) -> None:
        # Given
        on.server.corrupts = True
        with pytest.raises(ChecksumMismatchError):
            put(on.store, content)
        on.server.corrupts = False
        # When: it is another object than the recorded one, so the upload names what is there
        put(on.store, content, replaces=on.store.version(KEY))
        # Then
        assert on.body(KEY) == content

    @only(Checksum.READ_BACK, Checksum.MD5)
    def test_are_not_taken_for_the_upload_whatever_the_metadata_say(self, on: Lacking) -> None:
        # Given an object whose worker died before it had read it back
        on.server.corrupts = True
        with pytest.raises(LeaseLostError):
            put(on.store, SMALL, Progress(lost_at=2))
        # When
        found = on.reader.find(ObjectAddress(on.bucket, KEY))
        # Then
        assert found is not None
        assert found.metadata is not None
        assert found.metadata["sha256"] == hashlib.sha256(SMALL).hexdigest()
        assert found.sha256 is None
        # And whoever reads it compares it with the metadata
        verifier = on.reader.verifier(found)
        for chunk in on.reader.read(found):
            verifier.update(chunk)
        with pytest.raises(ChecksumMismatchError):
            verifier.check()


class TestResumption:
    @only(Checksum.CRC32C, Checksum.MD5)
    def test_parts_that_fit_are_kept(self, on: Lacking) -> None:
        # Given
        upload_id = on.interrupted(CONTENT, ALL_PARTS_SENT)
        # When
        stored = put(on.store, CONTENT, Progress(upload_id))
        # Then
        assert on.server.requests.count("UploadPart") == 0
        assert (stored.bytes_sent, on.body(KEY)) == (0, CONTENT)
        assert stored.sha256 == hashlib.sha256(CONTENT).hexdigest()

    @only(Checksum.CRC32C, Checksum.MD5)
    def test_a_part_of_another_source_is_sent_again(self, on: Lacking) -> None:
        # Given
        upload_id = on.interrupted(CONTENT, ALL_PARTS_SENT)
        changed = CONTENT[:PART] + b"!" + CONTENT[PART + 1 :]
        # When
        put(on.store, changed, Progress(upload_id))
        # Then
        assert on.server.requests.count("UploadPart") == 1
        assert on.body(KEY) == changed

    @only(Checksum.READ_BACK)
    def test_parts_that_nothing_proves_are_sent_again(self, on: Lacking) -> None:
        # Given
        upload_id = on.interrupted(CONTENT, ALL_PARTS_SENT)
        # When
        put(on.store, CONTENT, Progress(upload_id))
        # Then
        assert on.server.requests.count("UploadPart") == PARTS
        assert on.server.requests.count("CreateMultipartUpload") == 0
        assert on.body(KEY) == CONTENT

    @only(Checksum.CRC32C)
    def test_parts_without_a_listed_checksum_are_sent_again(self, on: Lacking) -> None:
        # Given
        on.server.lacks |= {Lack.LISTED_CHECKSUMS}
        upload_id = on.interrupted(CONTENT, ALL_PARTS_SENT)
        # When
        put(on.store, CONTENT, Progress(upload_id))
        # Then
        assert on.server.requests.count("UploadPart") == PARTS
        assert on.body(KEY) == CONTENT

    @only(Checksum.MD5)
    def test_parts_with_random_etags_are_sent_again(self, on: Lacking) -> None:
        # Given
        on.server.lacks |= {Lack.PART_ETAGS}
        upload_id = on.interrupted(CONTENT, ALL_PARTS_SENT)
        # When
        put(on.store, CONTENT, Progress(upload_id))
        # Then
        assert on.server.requests.count("UploadPart") == PARTS
        assert on.body(KEY) == CONTENT

    @each_way
    def test_what_was_completed_but_not_recorded_is_not_sent_again(self, on: Lacking) -> None:
        # Given
        progress = Progress()
        stored = put(on.store, CONTENT, progress)
        on.server.requests.clear()
        # When
        again = put(on.store, CONTENT, Progress(progress.upload_id))
        # Then it is read instead
        assert (again.version, again.sha256, again.bytes_sent) == (stored.version, stored.sha256, 0)
        assert "UploadPart" not in on.server.requests
        assert "GetObject" in on.server.requests

    @only(Checksum.READ_BACK)
    def test_parts_of_one_size_and_of_another_are_not_mixed(self, on: Lacking) -> None:
        """As after a change of ARTIFACTS_PART_SIZE, on a store that wants equal parts."""
        # Given
        on.server.lacks |= {Lack.UNEQUAL_PARTS}
        upload_id = on.interrupted(CONTENT, ALL_PARTS_SENT)
        # When
        put(replace(on.store, part_size=PART + 1), CONTENT, Progress(upload_id))
        # Then
        assert on.body(KEY) == CONTENT


@each_way
@each_size
def test_the_same_bytes_are_told_from_others_by_reading(on: Lacking, content: bytes) -> None:
    # Given
    stored = put(on.store, content)
    # When / Then
    with pytest.raises(ObjectReplacedError):
        put(on.store, content[::-1])
    assert put(on.store, content).version == stored.version


class TestTheAnswerToACompletion:
    PARTS = tuple(
        SentPart(number, '"e"', b"", 1, bytes_sent=1, checksum=checksum)
        for number, checksum in enumerate(("AAAAAQ==", "AAAAAg=="), start=1)
    )

    @pytest.fixture
    def integrity(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Integrity:
        install_crc32c(monkeypatch, tmp_path)
        return integrity_of(Checksum.CRC32C)

    def test_is_the_crc32c_of_those_of_the_parts(self, integrity: Integrity) -> None:
        right = crc32c(b"\0\0\0\1\0\0\0\2")
        integrity.check_whole(self.PARTS, {"ChecksumCRC32C": f"{right}-2"})
        with pytest.raises(ChecksumMismatchError):
            integrity.check_whole(self.PARTS, {"ChecksumCRC32C": "AAAAAA==-2"})

    @pytest.mark.parametrize("answer", [{}, {"ChecksumCRC32C": "AAAAAA=="}])
    def test_may_be_that_of_all_bytes(self, integrity: Integrity, answer: dict[str, str]) -> None:
        integrity.check_whole(self.PARTS, answer)

    def test_of_a_part_is_compared(self, integrity: Integrity) -> None:
        with pytest.raises(ChecksumMismatchError):
            integrity.is_proven("AAAAAQ==", {"ChecksumCRC32C": "AAAAAg=="})
