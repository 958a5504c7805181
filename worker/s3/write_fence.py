"""What keeps a late write from replacing a newer object."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.preconditions import Create, Precondition, Replace
from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.worker.s3.checksums import is_same_etag
from artifact_pipeline.worker.s3.errors import code_of, missing_means_replaced
from artifact_pipeline.worker.s3.existence import head_of

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
        head = head_of(self.client, self.address)
        if not allows(self.precondition, head["ETag"] if head else None):
            raise ObjectReplacedError
        # The look took time, in which the lease may have been lost.
        self.progress.checkpoint()

    def look_after(self, etag: str) -> None:
        """Raise ObjectReplacedError if the object is not the one that was written."""
        if self.is_conditional:
            return
        with missing_means_replaced():
            # A 403 is an error here: the object has just been written.
            head = self.client.head_object(Bucket=self.address.bucket, Key=self.address.key)
        if not is_same_etag(head["ETag"], etag):
            raise ObjectReplacedError


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
