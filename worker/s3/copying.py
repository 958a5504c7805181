"""Copies within S3 that another attempt can continue: `IObjectCopier` over boto3.

Each is a multipart upload whose parts S3 copies, even if one part is enough. CopyObject
would be one request instead of three, but its conditions on what it replaces are not honoured
everywhere, and a copy that lands late must never replace a newer upload. Where
there are no bytes there is no part to copy, and so it is a PUT.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from artifact_pipeline.domain.errors import (
    ArchivedError,
    ChecksumMismatchError,
    PermanentError,
    TransferError,
)
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.preconditions import Create, Precondition
from artifact_pipeline.domain.ports.object_store import IObjectReader, UploadProgress
from artifact_pipeline.worker.s3.abilities import AWS, Checksum, Copies, StoreAbilities
from artifact_pipeline.worker.s3.deletes import ObjectDeletion
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.errors import translated_errors
from artifact_pipeline.worker.s3.integrity import NO_CHECKSUM, SHA256
from artifact_pipeline.worker.s3.kept_headers import described, explained, kept_tags
from artifact_pipeline.worker.s3.multipart import MultipartUpload
from artifact_pipeline.worker.s3.object_copy import ObjectCopy
from artifact_pipeline.worker.s3.object_tags import ensure_tags
from artifact_pipeline.worker.s3.part_copies import PartCopies
from artifact_pipeline.worker.s3.part_sizes import part_size_for
from artifact_pipeline.worker.s3.reading import look_at
from artifact_pipeline.worker.s3.store import S3ObjectStore
from artifact_pipeline.worker.s3.tiers import DEFAULT_ARCHIVE, tier
from artifact_pipeline.worker.s3.worker_copies import WorkerCopies
from artifact_pipeline.worker.s3.write_fence import WriteFence

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

_MIB = 2**20
_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class S3ObjectCopier:
    """Copies and deletes objects in S3.

    Attributes: sizes in bytes; up to `multipart_threshold` an object is copied as one part.

    That is by default the largest part there can be:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html

    Where S3 does not copy, the worker uploads parts of `upload_part_size`.
    """

    client: "S3Client"
    bucket: str
    encryption: Encryption
    reader: IObjectReader
    threads: int
    multipart_threshold: int = 5 * _GIB
    part_size: int = _GIB
    abilities: StoreAbilities = AWS
    upload_part_size: int = 16 * _MIB

    @property
    def by_worker(self) -> WorkerCopies | None:
        """What copies in the place of a store that does not."""
        if self.abilities.copies is Copies.STORE:
            return None
        store = S3ObjectStore(
            client=self.client,
            bucket=self.bucket,
            encryption=self.encryption,
            multipart_threshold=self.upload_part_size,
            part_size=self.upload_part_size,
            threads=self.threads,
            abilities=self.abilities,
        )
        return WorkerCopies(store, self.reader)

    @property
    def archive_tier(self) -> str:
        return DEFAULT_ARCHIVE

    def copy(  # noqa: PLR0913 - as the port has it
        self,
        source: BucketObject,
        key: str,
        *,
        content_type: str,
        metadata: dict[str, str],
        precondition: Precondition,
        tier_name: str,
        progress: UploadProgress,
    ) -> StoredObject:
        if not self.abilities.checks_uploads and tier(tier_name).must_be_restored:
            raise ArchivedError(
                f"{key}: with ARTIFACTS_S3_CHECKSUM=read-back the copy must be read, but an object"
                f" in {tier_name} cannot be. Use the storage class GLACIER_IR"
            )
        source = self._seen(source)
        is_summed = self.abilities.checksum is Checksum.SHA256
        upload = MultipartUpload(
            client=self.client,
            bucket=self.bucket,
            key=key,
            create={
                **self._described(source, content_type, metadata),
                **self.encryption.arguments(),
                **({"StorageClass": tier_name} if tier_name else {}),
            },
            threads=self.threads,
            progress=progress,
            integrity=SHA256 if is_summed else NO_CHECKSUM,
        )
        return self._carry_out(
            ObjectCopy(
                source=source,
                reader=self.reader,
                upload=upload,
                fence=WriteFence(
                    client=self.client,
                    address=ObjectAddress(self.bucket, key),
                    precondition=precondition,
                    is_conditional=self.abilities.conditional_writes,
                    progress=progress,
                ),
                tier_name=tier_name,
                abilities=self.abilities,
            )
        )

    def delete(self, addresses: Sequence[ObjectAddress]) -> dict[ObjectAddress, str]:
        return ObjectDeletion(self.client, self.abilities.deletes)(addresses)

    def _carry_out(self, copy: ObjectCopy) -> StoredObject:
        try:
            with translated_errors():
                stored = self._made(copy)
                self._ensure_tags(copy)
                return stored
        except PermanentError as error:
            _give_up(copy.upload)
            clearer = explained(error, copy.upload.create)
            if clearer is error:
                raise
            raise clearer from error
        except ChecksumMismatchError:
            _give_up(copy.upload)
            raise

    def _ensure_tags(self, copy: ObjectCopy) -> None:
        key = copy.upload.key
        try:
            ensure_tags(self.client, ObjectAddress(self.bucket, key), copy.upload.create)
        except TransferError as error:
            if copy.fence.precondition == Create():
                raise
            # The object in its place is gone: without its row, this one would be unknown.
            logger.warning("%s: it may lack its tags: %s", key, error)

    def _made(self, copy: ObjectCopy) -> StoredObject:
        by_worker = self.by_worker
        if by_worker is not None:
            return by_worker.copy(
                copy.source,
                copy.upload.key,
                create=copy.upload.create,
                precondition=copy.fence.precondition,
                progress=copy.upload.progress,
            )
        return copy.of_parts(self._parts(copy)) if copy.source.size else copy.of_nothing()

    def _seen(self, source: BucketObject) -> BucketObject:
        """Return the source with its headers, which a listing and a row do not have."""
        if source.headers is not None:
            return source
        seen = look_at(self.client, source)
        return replace(
            source,
            # Do not believe what a store that checks nothing says of the bytes.
            sha256=source.sha256 or (seen.sha256 if self.abilities.checks_sha256 else None),
            checksums=seen.checksums,
            metadata=seen.metadata,
            headers=seen.headers,
        )

    def _described(
        self, source: BucketObject, content_type: str, metadata: Mapping[str, str]
    ) -> dict[str, Any]:
        # Keep the SHA-256 of the whole, as with every PUT: S3's own checksum of parts is not that.
        sha256 = {} if source.sha256 is None else {"sha256": source.sha256}
        kept = {**(source.headers or {}), **kept_tags(self.client, source.address)}
        return described(kept, content_type=content_type, metadata={**metadata, **sha256})

    def _parts(self, copy: ObjectCopy) -> PartCopies:
        size = copy.source.size
        is_one = size <= self.multipart_threshold
        return PartCopies(
            source=copy.source,
            reader=self.reader,
            upload=copy.upload,
            part_size=size if is_one else part_size_for(size, self.part_size),
            trusts_etags=self.abilities.checks_uploads,
        )


def _give_up(upload: MultipartUpload) -> None:
    """Abort it: its parts will not be continued."""
    upload_id = upload.progress.upload_id
    if upload_id is None:
        return
    # A worker that lost its lease must leave them to its successor.
    upload.progress.checkpoint()
    try:
        with translated_errors():
            upload.abort(upload_id)
    except TransferError as error:
        # The next reconcile aborts it.
        logger.warning("the parts of a copy are still there: %s", error)
