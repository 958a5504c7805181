"""Whether an object exists: HEAD, and a LIST where HEAD alone cannot tell.

S3 answers 403 to the HEAD of a missing object if the bucket may not be listed. It answers the same
for an object that may not be read, or whose key of KMS may not be used. The listing tells them
apart.
"""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import AccessDeniedError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.errors import code_of, translated_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

_MISSING = {"404", "NoSuchKey"}
_DENIED = {"403", "AccessDenied", "AccessForbidden", "Forbidden"}
"""Codes of a missing permission. Wrong credentials have other codes, but a HEAD has no code."""


def head_of(
    client: "S3Client", address: ObjectAddress, *, checksums: bool = False
) -> "HeadObjectOutputTypeDef | None":
    """Return the answer to a HEAD; None if the object is missing.

    It also counts as missing where S3 neither lets it be looked at nor listed: a write to its key
    will say if the bucket is closed altogether.

    Args:
        client: of the store.
        address: of the object.
        checksums: whether to ask for the store's checksums.

    Raises:
        AccessDeniedError: the object is listed, and may not be looked at; or the credentials are
            wrong.
        ClientError: the error means something else.
    """
    try:
        if checksums:
            return client.head_object(
                Bucket=address.bucket, Key=address.key, ChecksumMode="ENABLED"
            )
        return client.head_object(Bucket=address.bucket, Key=address.key)
    except ClientError as error:
        code = code_of(error)
        if code not in _MISSING | _DENIED:
            raise
        if code in _DENIED and is_listed(client, address):
            raise AccessDeniedError(
                f"HeadObject: {code}. The object exists, but reading it is denied: allow"
                " s3:GetObject, and kms:Decrypt if a key of KMS encrypts it"
            ) from error
        return None


def is_listed(client: "S3Client", address: ObjectAddress) -> bool | None:
    """Return whether a listing has the object; None if these credentials may not list it.

    Raises:
        TransferError: S3 refuses for another reason, or does not answer.
    """
    with translated_errors():
        try:
            page = client.list_objects_v2(Bucket=address.bucket, Prefix=address.key)
        except ClientError as error:
            if code_of(error) in _DENIED:
                return None
            raise
    # The key itself comes before all longer ones, so it is on the first page.
    return any(each["Key"] == address.key for each in page.get("Contents", []))
