"""The bucket: `IObjectStore` over boto3."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.model.artifacts import OpenUpload, StoredObject
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.preconditions import Precondition
from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.domain.ports.packed import form_begun, forms_of
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.s3 import direct_requests
from artifact_pipeline.worker.s3.abilities import AWS, StoreAbilities
from artifact_pipeline.worker.s3.bandwidth import UNLIMITED, Bandwidth
from artifact_pipeline.worker.s3.checksums import as_base64
from artifact_pipeline.worker.s3.dates import date_of
from artifact_pipeline.worker.s3.encryption import Encryption as Encryption  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.s3.endpoints import endpoint_of, location_of
from artifact_pipeline.worker.s3.errors import code_of, translated_errors
from artifact_pipeline.worker.s3.existence import head_of
from artifact_pipeline.worker.s3.integrity import Integrity, integrity_of
from artifact_pipeline.worker.s3.multipart import MultipartUpload, SentPart, SentUpload, is_part
from artifact_pipeline.worker.s3.object_tags import ensure_tags_of_upload
from artifact_pipeline.worker.s3.part_sizes import put_threshold, upload_part_size
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.s3.tags import NO_TAGS, ObjectTags
from artifact_pipeline.worker.s3.upload_parts import Part, opened_source
from artifact_pipeline.worker.s3.write_fence import WriteFence
from artifact_pipeline.worker.s3.written import (
    Content,
    check_written,
    content_of,
    found_instead,
    stored_object,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef


@dataclass(frozen=True, slots=True, kw_only=True)
class S3ObjectStore:
    """Uploads objects to S3.

    Attributes: sizes in bytes; below `multipart_threshold` an object is one PUT.

    The `tags` are put on its objects.
    """

    client: "S3Client"
    bucket: str
    encryption: Encryption
    multipart_threshold: int
    part_size: int
    threads: int
    tags: ObjectTags = NO_TAGS
    abilities: StoreAbilities = AWS
    bandwidth: Bandwidth = UNLIMITED

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
        precondition: Precondition,
        progress: UploadProgress,
    ) -> StoredObject:
        create = self._described(content_type, metadata)
        stored = self.write(
            key, source, create=create, precondition=precondition, progress=progress
        )
        ensure_tags_of_upload(self.client, self.bucket, stored, create)
        return stored

    def write(
        self,
        key: str,
        source: Source,
        *,
        create: dict[str, Any],
        precondition: Precondition,
        progress: UploadProgress,
    ) -> StoredObject:
        """Store the source with these arguments of PutObject and CreateMultipartUpload.

        Other arguments and errors: as `put`.
        """
        # The fence on S3's side: an object that has appeared since is not replaced.
        fence = self._fence(key, precondition, progress)
        upload = self._multipart(key, create, progress)
        part_size = upload_part_size(source, self.part_size)
        whole = hashlib.sha256()
        with translated_errors():
            existing = upload.existing_parts()
            source = self._form_begun(source, part_size, existing)
            threshold = put_threshold(source, self.multipart_threshold)
            with opened_source(
                source, threshold=threshold, part_size=part_size, whole=whole
            ) as content:
                if not isinstance(content, bytes):
                    return self._put_parts(
                        source, content, whole, upload=upload, existing=existing, fence=fence
                    )
                progress.checkpoint()
                stored = self._put_small(content, whole.digest(), create, fence)
                if progress.upload_id is not None:  # the source was larger once
                    self.abort(key, progress.upload_id)
                return stored

    def holds(self, stored: StoredObject) -> bool:
        with translated_errors():
            head = self._head(stored.key)
        return head is not None and (head["ContentLength"], head["ETag"]) == (
            stored.size,
            stored.version,
        )

    def version(self, key: str) -> str | None:
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

    @property
    def _integrity(self) -> Integrity:
        return integrity_of(self.abilities.checksum)

    @property
    def _reader(self) -> S3ObjectReader:
        return S3ObjectReader(client=self.client, bucket=self.bucket, abilities=self.abilities)

    def _fence(self, key: str, precondition: Precondition, progress: UploadProgress) -> WriteFence:
        return WriteFence(
            client=self.client,
            address=ObjectAddress(self.bucket, key),
            precondition=precondition,
            is_conditional=self.abilities.conditional_writes,
            progress=progress,
        )

    def _multipart(
        self, key: str, create: dict[str, Any], progress: UploadProgress
    ) -> MultipartUpload:
        return MultipartUpload(
            client=self.client,
            bucket=self.bucket,
            key=key,
            create=create,
            threads=self.threads,
            progress=progress,
            integrity=self._integrity,
            bandwidth=self.bandwidth,
        )

    def _put_small(
        self, body: bytes, digest: bytes, create: dict[str, Any], fence: WriteFence
    ) -> StoredObject:
        content = Content(len(body), digest.hex(), as_base64(digest))
        integrity = self._integrity
        checksum = integrity.of([body], digest)
        metadata = {**create["Metadata"], "sha256": content.sha256}
        answer: Mapping[str, Any]
        # Before the look, which must not be old.
        self.bandwidth.take(len(body), fence.progress.checkpoint)
        try:
            fence.look_before()
            arguments = {
                "Bucket": self.bucket,
                "Key": fence.address.key,
                **integrity.sent(checksum),
                **create,
                **fence.condition,
                "Metadata": metadata,
            }
            answer = direct_requests.send(
                self.client,
                "put_object",
                arguments,
                body=body,
                length=len(body),
                sha256=digest,
            )
            is_proven = integrity.is_proven(checksum, answer)
            check_written(self._reader, answer, content, fence, is_proven=is_proven)
        except (ClientError, ObjectReplacedError) as error:
            answer = found_instead(self._reader, error, content, create, fence)
        return stored_object(content, create, fence, answer, bytes_sent=len(body))

    def _form_begun(
        self, source: Source, part_size: int, existing: dict[int, SentPart] | None
    ) -> Source:
        if not existing:
            return source
        first = existing[min(existing)]
        start = (first.number - 1) * part_size
        return form_begun(source, start, part_size, partial(is_part, first, self._integrity))

    def _put_parts(  # noqa: PLR0913 - the bytes, and where they go
        self,
        source: Source,
        parts: Iterator[Part],
        whole: "hashlib._Hash",
        *,
        upload: MultipartUpload,
        existing: dict[int, SentPart] | None,
        fence: WriteFence,
    ) -> StoredObject:
        """Upload the parts. Args: `whole`: gets their bytes while they are taken."""
        if existing is None and fence.progress.upload_id is not None:
            unrecorded = self._unrecorded(source, upload.create, fence)
            if unrecorded is not None:
                return unrecorded
        sent = upload.send(parts, existing)
        return self._complete(upload, sent, whole.hexdigest(), fence)

    def _complete(
        self, upload: MultipartUpload, sent: SentUpload, sha256: str, fence: WriteFence
    ) -> StoredObject:
        content = Content(sent.size, sha256, sent.checksum)
        answer: Mapping[str, Any]
        try:
            fence.look_before()
            answer = upload.complete(sent, fence.condition)
            check_written(self._reader, answer, content, fence, is_proven=sent.is_proven)
        except (ClientError, ObjectReplacedError) as error:
            answer = found_instead(self._reader, error, content, upload.create, fence)
            self.abort(upload.key, sent.upload_id)
        return stored_object(content, upload.create, fence, answer, bytes_sent=sent.bytes_sent)

    def _unrecorded(
        self, source: Source, create: dict[str, Any], fence: WriteFence
    ) -> StoredObject | None:
        """Return the object if an attempt completed it and died before it could record it."""
        head = self._head(fence.address.key)
        if head is None:
            return None
        part_size = upload_part_size(source, self.part_size)
        for form in forms_of(source):
            content = content_of(form, part_size, fence.progress.checkpoint)
            if content.is_of(head, self._reader, fence):
                return stored_object(content, create, fence, head, bytes_sent=0)
        return None

    def _head(self, key: str) -> "HeadObjectOutputTypeDef | None":
        return head_of(self.client, ObjectAddress(self.bucket, key), checksums=True)
