"""The bucket: `IObjectStore` over boto3."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from domain.artifacts import OpenUpload, StoredObject
from domain.errors import ObjectReplacedError
from domain.locations import UploadLocation
from domain.objects import ObjectAddress
from domain.ports import Source, UploadProgress
from worker.s3.checksums import acknowledged_etag, as_base64, check, composite, is_same
from worker.s3.chunks import at_least, drained, hashed, in_parts
from worker.s3.dates import date_of
from worker.s3.encryption import Encryption as Encryption  # noqa: PLC0414 - re-exported
from worker.s3.endpoints import endpoint_of, location_of
from worker.s3.errors import code_of, translated_errors
from worker.s3.multipart import MultipartUpload, SentUpload, upload_part_size
from worker.s3.tags import NO_TAGS, ObjectTags

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        CompleteMultipartUploadOutputTypeDef,
        HeadObjectOutputTypeDef,
        PutObjectOutputTypeDef,
    )

    _Answer = (
        CompleteMultipartUploadOutputTypeDef | HeadObjectOutputTypeDef | PutObjectOutputTypeDef
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class S3ObjectStore:
    """Attributes: sizes in bytes; below `multipart_threshold` an object is one PUT.

    The `tags` are those of the objects that it puts.
    """

    client: "S3Client"
    bucket: str
    encryption: Encryption
    multipart_threshold: int
    part_size: int
    threads: int
    tags: ObjectTags = NO_TAGS

    @property
    def endpoint(self) -> str:
        # Status output shows it, so without the credentials that a URL may have.
        return endpoint_of(self.client).authority

    def put(  # noqa: PLR0913 - as the port has it
        self,
        key: str,
        source: Source,
        *,
        content_type: str,
        metadata: dict[str, str],
        replaces: str | None,
        progress: UploadProgress,
    ) -> StoredObject:
        described = self._described(content_type, metadata)
        # The fence on S3's side: what appeared meanwhile is not replaced.
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
        whole = hashlib.sha256()
        # Closed at once when the upload stops: a source may have threads that read ahead.
        with translated_errors(), closing(hashed(source.chunks(), whole)) as chunks:
            head = at_least(chunks, self.multipart_threshold)
            if sum(map(len, head)) < self.multipart_threshold:
                progress.checkpoint()
                body = b"".join(drained(head))
                stored = self._put_small(key, body, whole.digest(), described, condition)
                if progress.upload_id is not None:  # the source was larger once
                    self.abort(key, progress.upload_id)
                return stored
            size = upload_part_size(source, self.part_size)
            parts = in_parts(chain(drained(head), chunks), size)
            upload = self._multipart(key, described, progress)
            existing = upload.existing_parts()
            if existing is None and progress.upload_id is not None:
                unrecorded = self._unrecorded(key, source, size, progress)
                if unrecorded is not None:
                    return unrecorded
            sent = upload.send(parts, existing)
            return self._complete(upload, sent, whole.hexdigest(), condition)

    def holds(self, stored: StoredObject) -> bool:
        with translated_errors():
            head = self._head(stored.key)
        return head is not None and (head["ContentLength"], head["ETag"]) == (
            stored.size,
            stored.etag,
        )

    def etag(self, key: str) -> str | None:
        with translated_errors():
            head = self._head(key)
        return None if head is None else head["ETag"]

    def abort(self, key: str, upload_id: str) -> None:
        with translated_errors():
            try:
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
            except ClientError as error:
                if code_of(error) != "NoSuchUpload":
                    raise

    def open_uploads(self, prefix: str) -> Iterator[OpenUpload]:
        pages = self.client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        with translated_errors():
            for page in pages:
                listed_at = date_of(page)
                for upload in page.get("Uploads", []):
                    yield OpenUpload(
                        key=upload["Key"],
                        upload_id=upload["UploadId"],
                        initiated_at=upload["Initiated"],
                        listed_at=listed_at,
                    )

    def location(self, key: str) -> UploadLocation:
        return UploadLocation(location_of(self.client, ObjectAddress(self.bucket, key)))

    def _described(self, content_type: str, metadata: dict[str, str]) -> dict[str, Any]:
        return {
            "ContentType": content_type,
            "Metadata": metadata,
            **self.encryption.arguments(),
            **self.tags.arguments(metadata),
        }

    def _multipart(
        self, key: str, described: dict[str, Any], progress: UploadProgress
    ) -> MultipartUpload:
        return MultipartUpload(
            client=self.client,
            bucket=self.bucket,
            key=key,
            create=described,
            threads=self.threads,
            progress=progress,
        )

    def _put_small(
        self,
        key: str,
        body: bytes,
        digest: bytes,
        described: dict[str, Any],
        condition: dict[str, str],
    ) -> StoredObject:
        checksum = as_base64(digest)
        metadata = {**described["Metadata"], "sha256": digest.hex()}
        answer: _Answer
        try:
            answer = self.client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=body,
                ChecksumSHA256=checksum,
                **{**described, **condition, "Metadata": metadata},
            )
        except ClientError as error:
            answer = self._found_instead(error, key, len(body), checksum)
        check(checksum, answer.get("ChecksumSHA256"))
        return _stored(key, len(body), digest.hex(), checksum, answer, bytes_sent=len(body))

    def _complete(
        self, upload: MultipartUpload, sent: SentUpload, sha256: str, condition: dict[str, str]
    ) -> StoredObject:
        answer: _Answer
        try:
            answer = upload.complete(sent, condition)
        except ClientError as error:
            answer = self._found_instead(error, upload.key, sent.size, sent.checksum)
            self.abort(upload.key, sent.upload_id)
        return _stored(
            upload.key, sent.size, sha256, sent.checksum, answer, bytes_sent=sent.bytes_sent
        )

    def _unrecorded(
        self, key: str, source: Source, part_size: int, progress: UploadProgress
    ) -> StoredObject | None:
        """The object, if an attempt completed it and died before it could record it."""
        head = self._head(key)
        if head is None:
            return None
        whole, digests = hashlib.sha256(), []
        for part in in_parts(hashed(source.chunks(), whole), part_size):
            progress.checkpoint()
            digests.append(hashlib.sha256(part).digest())
        checksum = composite(digests)
        if not is_same(checksum, head.get("ChecksumSHA256")):
            return None
        size = head["ContentLength"]
        return _stored(key, size, whole.hexdigest(), checksum, head, bytes_sent=0)

    def _found_instead(
        self, error: ClientError, key: str, size: int, checksum: str
    ) -> "HeadObjectOutputTypeDef":
        """What is there already, if it is what was to be stored.

        Raises:
            ObjectReplacedError: it is something else, or gone.
            ClientError: the error means something else.
        """
        # NoSuchKey: the object that was to be replaced is not there any more.
        if code_of(error) not in {"PreconditionFailed", "NoSuchKey"}:
            raise error
        head = self._head(key)
        if head is None or head["ContentLength"] != size:
            raise ObjectReplacedError from error
        if not is_same(checksum, head.get("ChecksumSHA256")):
            raise ObjectReplacedError from error
        return head

    def _head(self, key: str) -> "HeadObjectOutputTypeDef | None":
        try:
            return self.client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            # 403 is what a missing object gives without the permission to list: not known to be
            # there, and if the bucket is closed altogether, the write will say so.
            if code_of(error) in {"404", "403", "NoSuchKey"}:
                return None
            raise


def _stored(  # noqa: PLR0913 - the fields of a StoredObject
    key: str, size: int, sha256: str, checksum: str, answer: "_Answer", *, bytes_sent: int
) -> StoredObject:
    return StoredObject(
        key=key,
        size=size,
        sha256=sha256,
        s3_checksum=checksum,
        etag=acknowledged_etag(answer.get("ETag")),
        version_id=answer.get("VersionId"),
        bytes_sent=bytes_sent,
    )
