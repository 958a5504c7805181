"""The bucket: `IObjectStore` over boto3."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from botocore.exceptions import ClientError

from domain.artifacts import StoredObject
from domain.locations import UploadLocation
from domain.ports import Source, UploadProgress
from worker.s3.checksums import as_base64, check
from worker.s3.errors import code_of, translated_errors
from worker.s3.multipart import MultipartUpload, part_size_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn")


@dataclass(frozen=True, slots=True)
class Encryption:
    """Server-side encryption, set on every write."""

    algorithm: str = "AES256"
    kms_key_id: str | None = None

    def arguments(self) -> dict[str, str]:
        key = {} if self.kms_key_id is None else {"SSEKMSKeyId": self.kms_key_id}
        return {"ServerSideEncryption": self.algorithm, **key}


@dataclass(frozen=True, slots=True, kw_only=True)
class S3ObjectStore:
    """Attributes: sizes in bytes; below `multipart_threshold` an object is one PUT."""

    client: "S3Client"
    bucket: str
    encryption: Encryption
    multipart_threshold: int
    part_size: int
    threads: int

    def put(
        self,
        key: str,
        source: Source,
        *,
        content_type: str,
        metadata: dict[str, str],
        progress: UploadProgress,
    ) -> StoredObject:
        described: dict[str, Any] = {
            "ContentType": content_type,
            "Metadata": metadata,
            **self.encryption.arguments(),
        }
        whole = hashlib.sha256()
        chunks = _hashed(source.chunks(), whole)
        with translated_errors():
            head = _at_least(chunks, self.multipart_threshold)
            if len(head) < self.multipart_threshold:
                progress.checkpoint()
                return self._put_small(key, head, whole.digest(), described)
            parts = _in_parts(
                chain((head,), chunks), part_size_for(source.largest_size, self.part_size)
            )
            del head  # or it would stay in memory for as long as the upload takes
            upload = MultipartUpload(
                client=self.client,
                bucket=self.bucket,
                key=key,
                create=described,
                threads=self.threads,
                progress=progress,
            )
            completed = upload.send(parts)
        return StoredObject(
            key=key,
            size=completed.size,
            sha256=whole.hexdigest(),
            s3_checksum=completed.checksum,
            etag=completed.answer["ETag"],
            version_id=completed.answer.get("VersionId"),
            bytes_sent=completed.bytes_sent,
        )

    def holds(self, stored: StoredObject) -> bool:
        with translated_errors():
            try:
                head = self.client.head_object(Bucket=self.bucket, Key=stored.key)
            except ClientError as error:
                if code_of(error) in {"404", "NoSuchKey"}:
                    return False
                raise
        return head["ContentLength"] == stored.size and head["ETag"] == stored.etag

    def location(self, key: str) -> UploadLocation:
        endpoint = urlsplit(self.client.meta.endpoint_url)
        # As the client itself addresses it: by host on AWS, unless a dot would break the
        # wildcard certificate, by path elsewhere.
        by_host = endpoint.netloc.endswith(_AWS_DOMAINS) and "." not in self.bucket
        host = f"{self.bucket}.{endpoint.netloc}" if by_host else endpoint.netloc
        path = f"/{key}" if by_host else f"/{self.bucket}/{key}"
        return UploadLocation(f"{endpoint.scheme}://{host}{quote(path)}")

    def _put_small(
        self, key: str, body: bytes, digest: bytes, described: dict[str, Any]
    ) -> StoredObject:
        checksum = as_base64(digest)
        metadata = {**described["Metadata"], "sha256": digest.hex()}
        answer = self.client.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=body,
            ChecksumSHA256=checksum,
            **{**described, "Metadata": metadata},
        )
        check(checksum, answer.get("ChecksumSHA256"))
        return StoredObject(
            key=key,
            size=len(body),
            sha256=digest.hex(),
            s3_checksum=checksum,
            etag=answer["ETag"],
            version_id=answer.get("VersionId"),
            bytes_sent=len(body),
        )


def _hashed(chunks: Iterator[bytes], whole: "hashlib._Hash") -> Iterator[bytes]:
    for chunk in chunks:
        whole.update(chunk)
        yield chunk


def _at_least(chunks: Iterator[bytes], size: int) -> bytes:
    """The first chunks, together at least that many bytes unless there are no more."""
    taken, total = [], 0
    for chunk in chunks:
        taken.append(chunk)
        total += len(chunk)
        if total >= size:
            break
    return b"".join(taken)


def _in_parts(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of just that size, but for the last."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= size:
            part = bytes(memoryview(buffer)[:size])
            del buffer[:size]
            yield part
    if buffer:
        yield bytes(buffer)
