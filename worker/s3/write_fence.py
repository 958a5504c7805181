"""What keeps a late write from replacing a newer object."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.preconditions import Create, Precondition, Replace
from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.worker.s3.checksums import is_same_etag
from artifact_pipeline.worker.s3.errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFence:
    """The object that one write may replace.

    A store with conditional writes refuses the write itself. For another store the key is looked
    at right before and right after the write. Another write in between is noticed afterwards, by
    its own writer or by the verification of writes.

    Attributes:
        precondition: which object may be there; its version is the ETag.
    """

    client: "S3Client"
    address: ObjectAddress
    precondition: Precondition
    is_conditional: bool
    progress: UploadProgress

    @property
    def condition(self) -> dict[str, str]:
        """Arguments of PutObject or CompleteMultipartUpload."""
        if not self.is_conditional:
            return {}
        match self.precondition:
            case Create():
                return {"IfNoneMatch": "*"}
            case Replace(etag):
                return {"IfMatch": etag}

    def look_before(self) -> None:
        """Raise ObjectReplacedError if another object is there, unless the store will look."""
        if self.is_conditional:
            return
        # Without the permission to list, S3 answers 403 for a missing object.
        if not allows(self.precondition, self._etag({"403", "404", "NoSuchKey"})):
            raise ObjectReplacedError
        # The look took time, in which the lease may have been lost.
        self.progress.checkpoint()

    def look_after(self, etag: str) -> None:
        """Raise ObjectReplacedError if the object is not the one that was written."""
        if not self.is_conditional and not is_same_etag(self._etag({"404", "NoSuchKey"}), etag):
            raise ObjectReplacedError

    def _etag(self, missing: set[str]) -> str | None:
        try:
            head = self.client.head_object(Bucket=self.address.bucket, Key=self.address.key)
        except ClientError as error:
            if code_of(error) in missing:
                return None
            raise
        return head["ETag"]


def allows(precondition: Precondition, etag: str | None) -> bool:
    """Return whether the precondition allows a write where this ETag is found, None for none."""
    match precondition:
        case Create():
            return etag is None
        case Replace(version):
            return is_same_etag(etag, version)


def is_refusal(error: Exception) -> bool:
    """Return whether a write failed because of the object that is, or is not, at its key."""
    if isinstance(error, ClientError):
        # NoSuchKey: the object that was to be replaced is not there any more.
        return code_of(error) in {"PreconditionFailed", "NoSuchKey"}
    return isinstance(error, ObjectReplacedError)
