"""How strong a check what S3 says of an object allows."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from hypothesis import given
from hypothesis import strategies as st
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import ChecksumMismatchError, ObjectReplacedError
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.ports.object_store import Verifier
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.s3.verification import (
    SizeAlone,
    checksums_of,
    of_sha256,
    sha256_of,
    strongest,
)
from tests.buckets import create_bucket
from tests.s3.steps import (
    KEY,
    MIB,
    Requests,
    answer_of,
    answered_client,
    client_at,
    put_in_parts,
    random_bytes,
)
from tests.servers import Moto

ADDRESS = ObjectAddress("bucket", KEY)
PART = 5 * MIB
CONTENT = random_bytes(2 * PART + 1)

HASHES: dict[str, Callable[[bytes], bytes]] = {
    "SHA256": lambda data: hashlib.sha256(data).digest(),
    "SHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
}
every_algorithm = pytest.mark.parametrize("algorithm", HASHES)


def written(algorithm: str, digest: bytes) -> str:
    return digest.hex() if algorithm == "MD5" else base64.b64encode(digest).decode()


def in_parts(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def of_parts(algorithm: str, parts: list[bytes]) -> str:
    """As S3 makes it: the digest of the parts' digests, with their number."""
    digest = HASHES[algorithm]
    whole = digest(b"".join(digest(part) for part in parts))
    return f"{written(algorithm, whole)}-{len(parts)}"


def unknown(_parts: int) -> int | None:
    return None


def check(verifier: Verifier, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        verifier.update(chunk)
    verifier.check()


class TestDigests:
    @every_algorithm
    @given(content=st.binary(max_size=300), chunk=st.integers(1, 50))
    def test_of_all_bytes(self, algorithm: str, content: bytes, chunk: int) -> None:
        said = {algorithm: written(algorithm, HASHES[algorithm](content))}
        check(strongest(said, unknown), in_parts(content, chunk))
        with pytest.raises(ChecksumMismatchError):
            check(strongest(said, unknown), [content, b"x"])

    @every_algorithm
    @given(
        content=st.binary(min_size=1, max_size=300),
        part=st.integers(1, 60),
        chunk=st.integers(1, 150),
    )
    def test_of_parts(self, algorithm: str, content: bytes, part: int, chunk: int) -> None:
        said = {algorithm: of_parts(algorithm, in_parts(content, part))}
        check(strongest(said, lambda _parts: part), in_parts(content, chunk))
        flipped = bytes([content[0] ^ 1]) + content[1:]
        with pytest.raises(ChecksumMismatchError, match=f"another {algorithm} than"):
            check(strongest(said, lambda _parts: part), [flipped])

    def test_the_strongest_is_taken(self) -> None:
        # Given a wrong one of each weaker kind
        said = {name: written(name, HASHES[name](b"other")) for name in ("CRC32", "MD5", "SHA1")}
        said["SHA256"] = written("SHA256", HASHES["SHA256"](b"content"))
        # When / Then
        check(strongest(said, unknown), [b"content"])

    def test_one_of_unknown_parts_gives_way_to_a_weaker_one_of_all_bytes(self) -> None:
        said = {
            "SHA256": of_parts("SHA256", [b"con", b"tent"]),
            "CRC32": written("CRC32", HASHES["CRC32"](b"content")),
        }
        check(strongest(said, unknown), [b"content"])
        with pytest.raises(ChecksumMismatchError, match="CRC32"):
            check(strongest(said, unknown), [b"contend"])

    @pytest.mark.parametrize("said", [{}, {"SHA256": "not base64"}, {"CRC64NVME": "AAAA"}])
    def test_where_there_is_none_the_size_has_to_do(self, said: dict[str, str]) -> None:
        assert strongest(said, unknown) == SizeAlone()
        check(strongest(said, unknown), [b"anything"])

    def test_a_sha256_that_is_known_is_compared(self) -> None:
        known = hashlib.sha256(b"content").hexdigest()
        check(of_sha256(known), [b"con", b"tent"])
        with pytest.raises(ChecksumMismatchError):
            check(of_sha256(known), [b"tent", b"con"])


def head_of(**said: Any) -> Any:
    return {"ETag": '"e"', **said}


class TestWhatAHeadSays:
    MD5 = "900150983cd24fb0d6963f7d28e17f72"
    SHA256 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
    HEXADECIMAL = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @pytest.mark.parametrize(
        ("etag", "more", "said"),
        [
            (MD5, {}, {"MD5": MD5}),
            (MD5, {"ServerSideEncryption": "AES256"}, {"MD5": MD5}),
            (f"{MD5}-3", {}, {"MD5": f"{MD5}-3"}),
            # An ETag like any other, which has nothing to do with the bytes:
            (MD5, {"ServerSideEncryption": "aws:kms"}, {}),
            (MD5, {"ServerSideEncryption": "aws:kms:dsse"}, {}),
            (f"{MD5}-3", {"ServerSideEncryption": "aws:kms"}, {}),
            (MD5, {"SSECustomerAlgorithm": "AES256"}, {}),
            ("0x8D4F-of-another-server", {}, {}),
        ],
    )
    def test_an_etag_is_an_md5_unless_a_key_of_ones_own_encrypts(
        self, etag: str, more: dict[str, str], said: dict[str, str]
    ) -> None:
        assert checksums_of(head_of(ETag=f'"{etag}"', **more)) == said

    @pytest.mark.parametrize(
        ("etag", "answer", "of_what", "said"),
        [
            ("e", SHA256, "FULL_OBJECT", SHA256),
            ("e", SHA256, None, SHA256),
            ("e-3", f"{SHA256}-3", "COMPOSITE", f"{SHA256}-3"),
            ("e-3", SHA256, None, f"{SHA256}-3"),  # of a server that leaves the number away
            ("e-3", SHA256, "FULL_OBJECT", SHA256),
        ],
    )
    def test_a_checksum_of_parts_is_told_from_one_of_all_bytes(
        self, etag: str, answer: str, of_what: str | None, said: str
    ) -> None:
        more = {} if of_what is None else {"ChecksumType": of_what}
        head = head_of(ETag=f'"{etag}"', ChecksumSHA256=answer, **more)
        assert checksums_of(head) == {"SHA256": said}
        assert sha256_of(head) == (None if "-" in said else self.HEXADECIMAL)

    @pytest.mark.parametrize(
        ("left", "known"),
        [
            (HEXADECIMAL, HEXADECIMAL),
            (HEXADECIMAL.upper(), HEXADECIMAL),
            ("", None),
            ("x" * 64, None),
            (SHA256, None),
        ],
    )
    def test_what_the_uploader_left_is_taken_if_it_is_one(
        self, left: str, known: str | None
    ) -> None:
        assert sha256_of(head_of(Metadata={"sha256": left})) == known

    def test_the_case_of_its_name_does_not_matter(self) -> None:
        assert sha256_of(head_of(Metadata={"Sha256": self.HEXADECIMAL})) == self.HEXADECIMAL

    def test_what_s3_has_computed_counts_for_more(self) -> None:
        head = head_of(ChecksumSHA256=self.SHA256, Metadata={"sha256": "0" * 64})
        assert sha256_of(head) == self.HEXADECIMAL


def listed(size: int, etag: str = '"e"') -> BucketObject:
    return BucketObject(address=ADDRESS, size=size, version=etag, modified_at=datetime.now(UTC))


def answering(sizes: dict[str | None, int], **headers: str) -> S3ObjectReader:
    """A reader of an object whose HEADs answer the sizes of its parts, and for None its own."""

    def answer(_operation: str, request: AWSPreparedRequest) -> AWSResponse:
        number = request.url.partition("partNumber=")[2] or None
        return answer_of(
            200,
            Content_Length=str(sizes[number]),
            Last_Modified="Thu, 23 Oct 2025 21:15:00 GMT",
            **{"ETag": '"e"', **headers},
        )

    return S3ObjectReader(client=answered_client(answer), bucket="bucket")


class TestAsking:
    def test_nothing_is_asked_where_the_sha256_is_known(self) -> None:
        reader = answering({})
        known = replace(listed(3), sha256=hashlib.sha256(b"abc").hexdigest())
        requests = Requests(reader.client)
        check(reader.verifier(known), [b"abc"])
        assert requests.names == []

    @pytest.mark.parametrize("encryption", ["aws:kms", "aws:kms:dsse"])
    def test_an_etag_that_only_looks_like_an_md5_refuses_no_bytes(self, encryption: str) -> None:
        # Given
        etag = f'"{hashlib.md5(b"other", usedforsecurity=False).hexdigest()}"'
        reader = answering({None: 3}, ETag=etag, x_amz_server_side_encryption=encryption)
        # When
        verifier = reader.verifier(listed(3, etag))
        # Then
        assert verifier == SizeAlone()

    def test_what_was_replaced_since_it_was_listed_is_told(self) -> None:
        for status in (412, 404):
            client = answered_client(lambda *_, status=status: answer_of(status))
            with pytest.raises(ObjectReplacedError):
                S3ObjectReader(client=client, bucket="bucket").verifier(listed(3))

    @pytest.mark.parametrize(
        ("sizes", "size", "compared_with"),
        [
            ({"1": 4, "3": 2}, 10, "MD5"),
            ({"1": 4, "3": 4}, 12, "MD5"),
            ({"1": 4, "3": 1}, 10, None),  # parts of several sizes
            ({"1": 3, "3": 4}, 10, None),  # the last the largest
            ({"1": 3, "3": 3}, 10, None),  # four at the least
            ({"1": 9, "3": 1}, 10, None),  # two at the most
            ({"1": 10, "3": 10}, 10, None),  # a server that takes no heed of the number
            ({"1": 0, "3": 0}, 10, None),
        ],
    )
    def test_parts_are_compared_if_they_have_one_size(
        self, sizes: dict[str | None, int], size: int, compared_with: str | None
    ) -> None:
        # Given an object of three parts
        content = random_bytes(size)
        parts = in_parts(content, sizes["1"] or 1)[:3]
        etag = f'"{of_parts("MD5", parts).partition("-")[0]}-3"'
        reader = answering({None: size, **sizes}, ETag=etag)
        # When
        verifier = reader.verifier(listed(size, etag))
        # Then
        assert getattr(verifier, "algorithm", None) == compared_with
        check(verifier, [content])


class TestMultipartObject:
    @pytest.fixture
    def client(self, moto: Moto) -> S3Client:
        """Of the server that knows the sizes of parts."""
        return client_at(moto.url)

    @pytest.fixture
    def reader(self, client: S3Client) -> S3ObjectReader:
        return S3ObjectReader(client=client, bucket=create_bucket(client))

    @pytest.mark.parametrize("parts", [1, 2, 3])
    def test_its_bytes_are_compared_with_its_etag(self, reader: S3ObjectReader, parts: int) -> None:
        # Given an object of parts, uploaded without a checksum
        content = CONTENT[-((parts - 1) * PART + 1) :]
        put_in_parts(reader.client, reader.bucket, in_parts(content, PART))
        # When
        requests = Requests(reader.client)
        existing = reader.find(ObjectAddress(reader.bucket, KEY))
        assert existing is not None
        verifier = reader.verifier(existing)
        # Then
        assert requests.names == ["HeadObject"] * (1 if parts == 1 else 3)
        assert (existing.sha256, existing.version[-3:]) == (None, f'{parts}"'.rjust(3, "-"))
        check(verifier, in_parts(content, MIB))
        with pytest.raises(ChecksumMismatchError, match="MD5"):
            check(reader.verifier(existing), [content, b"x"])

    def test_one_of_several_sizes_is_not_refused(self, reader: S3ObjectReader) -> None:
        parts = [CONTENT[:PART], CONTENT[: PART + 9], CONTENT[: PART - 9]]
        put_in_parts(reader.client, reader.bucket, parts)
        check(reader.verifier(*reader.list("")), parts)
