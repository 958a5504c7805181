"""Deleting objects, for each choice of ARTIFACTS_S3_DELETES."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from domain.errors import PermanentError
from domain.objects import ObjectAddress
from worker.s3.abilities import Deletes
from worker.s3.errors import code_of, translated_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_MAX_DELETED = 1000
"""With one request: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


@dataclass(frozen=True, slots=True)
class ObjectDeletion:
    client: "S3Client"
    mode: Deletes = Deletes.CHECKSUM

    def __call__(self, addresses: Sequence[ObjectAddress]) -> dict[ObjectAddress, str]:
        """Delete the objects; return those that S3 refused to delete, with its code."""
        if self.mode is Deletes.SINGLE:
            return self._one_by_one(addresses)
        keys: dict[str, list[str]] = {}
        for address in addresses:
            keys.setdefault(address.bucket, []).append(address.key)
        refused: dict[ObjectAddress, str] = {}
        for bucket, of_bucket in keys.items():
            for start in range(0, len(of_bucket), _MAX_DELETED):
                refused |= self._together(bucket, of_bucket[start : start + _MAX_DELETED])
        return refused

    def _together(self, bucket: str, keys: Sequence[str]) -> dict[ObjectAddress, str]:
        objects: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys]
        checksum: dict[str, Any] = {"ChecksumAlgorithm": "SHA256"}
        if self.mode is Deletes.MD5:
            checksum = {}
            self.client.meta.events.register(
                "before-call.s3.DeleteObjects", _send_md5, unique_id="artifacts-delete-by-md5"
            )
        with translated_errors():
            answer = self.client.delete_objects(
                Bucket=bucket, Delete={"Objects": objects, "Quiet": True}, **checksum
            )
        return {
            ObjectAddress(bucket, error["Key"]): error["Code"] for error in answer.get("Errors", [])
        }

    def _one_by_one(self, addresses: Sequence[ObjectAddress]) -> dict[ObjectAddress, str]:
        refusals = {address: self._delete(address) for address in addresses}
        return {address: code for address, code in refusals.items() if code}

    def _delete(self, address: ObjectAddress) -> str | None:
        """Return the code of a refusal that concerns this object alone."""
        try:
            with translated_errors():
                self.client.delete_object(Bucket=address.bucket, Key=address.key)
        except PermanentError as error:
            cause = error.__cause__
            code = code_of(cause) if isinstance(cause, ClientError) else ""
            if not code or code == "NoSuchBucket":
                raise
            # A few servers answer so for an object that is gone already.
            return None if code == "NoSuchKey" else code
        return None


def _send_md5(params: dict[str, Any], **_: object) -> None:
    """Replace the checksum that botocore would compute.

    The operation has no argument for a Content-MD5.
    """
    params["context"].pop("checksum", None)
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode("ascii")
