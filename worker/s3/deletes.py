"""Deleting objects, for each choice of ARTIFACTS_S3_DELETES."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from artifact_pipeline.domain.each import for_each, until_unavailable
from artifact_pipeline.domain.errors import ObjectReplacedError, PermanentError, PipelineError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.abilities import Deletes
from artifact_pipeline.worker.s3.errors import code_of, translated_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import DeleteObjectsOutputTypeDef, ObjectIdentifierTypeDef

_MAX_DELETED = 1000
"""With one request: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


@dataclass(frozen=True, slots=True)
class ObjectDeletion:
    client: "S3Client"
    mode: Deletes = Deletes.CHECKSUM

    def __call__(self, addresses: Sequence[ObjectAddress]) -> dict[ObjectAddress, str]:
        """Delete the objects.

        Returns:
            Those that S3 refused to delete, with its code, or with the error of the request that
            they were in.

        Raises:
            PipelineError: every request failed, or S3 is away.
        """
        answers = list(until_unavailable(for_each(self._send, self._requests(addresses))))
        errors = [answer for _, answer in answers if isinstance(answer, PipelineError)]
        if errors and len(errors) == len(answers):
            raise errors[0]
        refused: dict[ObjectAddress, str] = {}
        for request, answer in answers:
            if isinstance(answer, PipelineError):
                refused |= dict.fromkeys(request, str(answer))
            else:
                refused |= answer
        return refused

    def _requests(self, addresses: Sequence[ObjectAddress]) -> Iterator[list[ObjectAddress]]:
        most = 1 if self.mode is Deletes.SINGLE else _MAX_DELETED
        of_buckets: dict[str, list[ObjectAddress]] = {}
        for address in addresses:
            of_buckets.setdefault(address.bucket, []).append(address)
        for of_bucket in of_buckets.values():
            for start in range(0, len(of_bucket), most):
                yield of_bucket[start : start + most]

    def _send(self, request: Sequence[ObjectAddress]) -> dict[ObjectAddress, str]:
        if self.mode is Deletes.SINGLE:
            return self._one(request[0])
        return self._together(request[0].bucket, [address.key for address in request])

    def _together(self, bucket: str, keys: Sequence[str]) -> dict[ObjectAddress, str]:
        with translated_errors():
            answer = delete_together(self.client, bucket, keys, self.mode)
        return {
            ObjectAddress(bucket, error["Key"]): error["Code"] for error in answer.get("Errors", [])
        }

    def _one(self, address: ObjectAddress) -> dict[ObjectAddress, str]:
        try:
            with translated_errors():
                self.client.delete_object(Bucket=address.bucket, Key=address.key)
        except (PermanentError, ObjectReplacedError) as error:
            cause = error.__cause__
            code = code_of(cause) if isinstance(cause, ClientError) else ""
            if not code or code == "NoSuchBucket":
                raise
            # A few servers answer so for an object that is gone already.
            return {} if code == "NoSuchKey" else {address: code}
        return {}


def delete_together(
    client: "S3Client", bucket: str, keys: Sequence[str], mode: Deletes
) -> "DeleteObjectsOutputTypeDef":
    """Send one DeleteObjects, by a SHA-256 or by a Content-MD5.

    A client that has sent a Content-MD5 once sends it with every later DeleteObjects.
    """
    objects: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys]
    checksum: dict[str, Any] = {"ChecksumAlgorithm": "SHA256"}
    if mode is Deletes.MD5:
        checksum = {}
        client.meta.events.register(
            "before-call.s3.DeleteObjects", _send_md5, unique_id="artifacts-delete-by-md5"
        )
    return client.delete_objects(
        Bucket=bucket, Delete={"Objects": objects, "Quiet": True}, **checksum
    )


def _send_md5(params: dict[str, Any], **_: object) -> None:
    """Replace the checksum that botocore would compute.

    The operation has no argument for a Content-MD5.
    """
    params["context"].pop("checksum", None)
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode("ascii")
