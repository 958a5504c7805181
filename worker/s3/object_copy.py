"""One copy of an object within S3."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import (
    ArchivedError,
    ChecksumMismatchError,
    ObjectReplacedError,
)
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.checksums import SHA256
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.worker.s3.abilities import StoreAbilities
from artifact_pipeline.worker.s3.checksums import (
    acknowledged_etag,
    as_base64,
    is_same,
    sha256_checksum,
)
from artifact_pipeline.worker.s3.integrity import integrity_of
from artifact_pipeline.worker.s3.multipart import MultipartUpload
from artifact_pipeline.worker.s3.part_copies import PartCopies
from artifact_pipeline.worker.s3.read_back import check_stored, digest_of, find_same
from artifact_pipeline.worker.s3.tiers import tier
from artifact_pipeline.worker.s3.write_fence import WriteFence, is_refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCopy:
    """A copy under way: sends its parts, completes it, and looks at what it has made."""

    source: BucketObject
    reader: IObjectReader
    upload: MultipartUpload
    fence: WriteFence
    tier_name: str
    abilities: StoreAbilities

    def of_parts(self, parts: PartCopies) -> StoredObject:
        sent, sha256 = parts.send()
        if not sent.is_proven and tier(self.tier_name).must_be_restored:
            raise ArchivedError(
                f"{self.upload.key}: S3 answers no checksum that proves the copy, and an object in"
                f" {self.tier_name} cannot be read. Use the storage class GLACIER_IR"
            )
        # Give the expected size: S3 refuses another size before the object appears.
        condition: dict[str, Any] = {**self.fence.condition, "MpuObjectSize": self.source.size}
        try:
            self.fence.look_before()
            answer = self.upload.complete(sent, condition)
            etag = acknowledged_etag(answer.get("ETag"))
            self.fence.look_after(etag)
        except (ClientError, ObjectReplacedError) as error:
            found = self._found_instead(error, sha256, sent.checksum)
            self.upload.abort(sent.upload_id)
            return found
        if answer.get("ChecksumSHA256") is None:
            self._check_size(etag)
        if not sent.is_proven:
            self._read_back(etag, sha256)
        return self._stored(sha256, sent.checksum, etag, answer.get("VersionId"))

    def of_nothing(self) -> StoredObject:
        find_same(self.reader, self.source.address, self.source.version)
        digest = hashlib.sha256()
        sha256, checksum = digest.hexdigest(), as_base64(digest.digest())
        integrity = integrity_of(self.abilities.checksum)
        described: dict[str, Any] = {
            **integrity.sent(integrity.of([], digest.digest())),
            **self.upload.create,
            **self.fence.condition,
        }
        self.upload.progress.checkpoint()
        try:
            self.fence.look_before()
            answer = self.upload.client.put_object(
                Bucket=self.upload.bucket, Key=self.upload.key, **described
            )
            etag = acknowledged_etag(answer.get("ETag"))
            self.fence.look_after(etag)
        except (ClientError, ObjectReplacedError) as error:
            return self._found_instead(error, sha256, checksum)
        return self._stored(sha256, checksum, etag, answer.get("VersionId"))

    def _check_size(self, etag: str) -> None:
        # Not every server checks the size when the copy is completed, or has checksums of it.
        head = self.upload.client.head_object(
            Bucket=self.upload.bucket, Key=self.upload.key, IfMatch=etag
        )
        if (size := head["ContentLength"]) != self.source.size:
            said = f"the copy has {size} bytes, and the source {self.source.size}"
            raise ChecksumMismatchError(f"{self.upload.key}: {said}")

    def _read_back(self, etag: str, sha256: str) -> None:
        address = ObjectAddress(self.upload.bucket, self.upload.key)
        check_stored(self.reader, address, etag, sha256, self.upload.progress.checkpoint)

    def _found_instead(
        self, error: ClientError | ObjectReplacedError, sha256: str, checksum: str
    ) -> StoredObject:
        """Return the existing object if it has the same content.

        Raises:
            ObjectReplacedError: it is something else, or gone.
            ClientError: the error means something else.
        """
        if not is_refusal(error):
            raise error
        found = self.reader.find(ObjectAddress(self.upload.bucket, self.upload.key))
        if found is None or not self._is_this(found, sha256, checksum):
            raise ObjectReplacedError from error
        stored = self._stored(sha256, checksum, found.version, found.version_id)
        return replace(stored, tier_name=found.tier_name)

    def _is_this(self, found: BucketObject, sha256: str, checksum: str) -> bool:
        if found.size != self.source.size or self.tier_name not in {"", found.tier_name}:
            return False
        # If the store checks nothing, its metadata may describe bytes that it does not have.
        if found.sha256 is not None and self.abilities.checks_sha256:
            return found.sha256 == sha256
        said = found.checksum(SHA256)
        if said is not None and is_same(checksum, str(said)):
            return True
        # It may have a checksum of other parts, or none.
        return digest_of(self.reader, found, self.upload.progress.checkpoint) == sha256

    def _stored(
        self, sha256: str, checksum: str, etag: str, version_id: str | None
    ) -> StoredObject:
        return StoredObject(
            key=self.upload.key,
            size=self.source.size,
            sha256=sha256,
            version=etag,
            checksum=sha256_checksum(checksum),
            version_id=version_id,
            tier_name=self.tier_name or "STANDARD",
        )
