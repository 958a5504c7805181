"""Deleting objects, for each choice of ARTIFACTS_S3_DELETES."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from artifact_pipeline.domain.each import for_each, until_unavailable
from artifact_pipeline.domain.errors import ObjectReplacedError, PermanentError, PipelineError
from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.abilities import Deletes
from artifact_pipeline.worker.s3.errors import code_of, translated_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        DeleteObjectRequestTypeDef,
        DeleteObjectsOutputTypeDef,
        ErrorTypeDef,
        ObjectIdentifierTypeDef,
    )

_MAX_DELETED = 1000
"""With one request: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


@dataclass(frozen=True, slots=True)
class ObjectDeletion:
    client: "S3Client"
    mode: Deletes = Deletes.CHECKSUM

    def __call__(self, addresses: Sequence[ObjectAddress]) -> dict[ObjectAddress, str]:
        """Delete the objects. Results and errors: as `of_versions`."""
        objects = [ObjectVersion(address=address) for address in addresses]
        return {each.address: code for each, code in self.of_versions(objects).items()}

    def of_versions(self, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, str]:
        """Delete the versions.

        Returns:
            Those that S3 refused to delete, with its code, or with the error of the request that
            they were in.

        Raises:
            PipelineError: every request failed, or S3 is away.
        """
        answers = list(until_unavailable(for_each(self._send, self._requests(versions))))
        errors = [answer for _, answer in answers if isinstance(answer, PipelineError)]
        if errors and len(errors) == len(answers):
            raise errors[0]
        refused: dict[ObjectVersion, str] = {}
        for request, answer in answers:
            if isinstance(answer, PipelineError):
                refused |= dict.fromkeys(request, str(answer))
            else:
                refused |= answer
        return refused

    def _requests(self, versions: Sequence[ObjectVersion]) -> Iterator[list[ObjectVersion]]:
        most = 1 if self.mode is Deletes.SINGLE else _MAX_DELETED
        of_buckets: dict[str, list[ObjectVersion]] = {}
        for version in versions:
            of_buckets.setdefault(version.address.bucket, []).append(version)
        for of_bucket in of_buckets.values():
            for start in range(0, len(of_bucket), most):
                yield of_bucket[start : start + most]

    def _send(self, request: Sequence[ObjectVersion]) -> dict[ObjectVersion, str]:
        if self.mode is Deletes.SINGLE:
            return self._one(request[0])
        return self._together(request[0].address.bucket, request)

    def _together(self, bucket: str, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, str]:
        with translated_errors():
            answer = _send_deletion(
                self.client, bucket, [_identifier(each) for each in versions], self.mode
            )
        return {
            version: error["Code"]
            for error in answer.get("Errors", [])
            for version in versions
            if _is_about(error, version)
        }

    def _one(self, version: ObjectVersion) -> dict[ObjectVersion, str]:
        try:
            with translated_errors():
                self.client.delete_object(**_request(version))
        except (PermanentError, ObjectReplacedError) as error:
            cause = error.__cause__
            code = code_of(cause) if isinstance(cause, ClientError) else ""
            if not code or code == "NoSuchBucket":
                raise
            # A few servers answer so for an object that is gone already.
            return {} if code in {"NoSuchKey", "NoSuchVersion"} else {version: code}
        return {}


def delete_together(
    client: "S3Client", bucket: str, keys: Sequence[str], mode: Deletes
) -> "DeleteObjectsOutputTypeDef":
    """Send one DeleteObjects, by a SHA-256 or by a Content-MD5.

    A client that has sent a Content-MD5 once sends it with every later DeleteObjects.
    """
    return _send_deletion(client, bucket, [{"Key": key} for key in keys], mode)


def _request(version: ObjectVersion) -> "DeleteObjectRequestTypeDef":
    request: DeleteObjectRequestTypeDef = {
        "Bucket": version.address.bucket,
        "Key": version.address.key,
    }
    if version.version_id is not None:
        request["VersionId"] = version.version_id
    return request


def _is_about(error: "ErrorTypeDef", version: ObjectVersion) -> bool:
    # Some servers leave the version out of their answer: then it may be about any of the key.
    is_version = error.get("VersionId") in {None, "", version.version_id}
    return error["Key"] == version.address.key and is_version


def _identifier(version: ObjectVersion) -> "ObjectIdentifierTypeDef":
    identifier: ObjectIdentifierTypeDef = {"Key": version.address.key}
    if version.version_id is not None:
        identifier["VersionId"] = version.version_id
    return identifier


def _send_deletion(
    client: "S3Client", bucket: str, objects: "Sequence[ObjectIdentifierTypeDef]", mode: Deletes
) -> "DeleteObjectsOutputTypeDef":
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
