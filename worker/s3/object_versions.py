"""Versions of objects in a bucket, and their legal holds: `IObjectVersions` over boto3."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.s3.abilities import AWS, StoreAbilities
from artifact_pipeline.worker.s3.deletes import ObjectDeletion
from artifact_pipeline.worker.s3.errors import code_of, is_unsupported, translated_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectLegalHoldRequestTypeDef

_NO_LOCK = ("ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "404")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3ObjectVersions:
    client: "S3Client"
    bucket: str
    abilities: StoreAbilities = AWS

    def all(self, prefix: str) -> Iterator[ObjectVersion]:
        pages = self.client.get_paginator("list_object_versions").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        with translated_errors():
            for page in pages:
                for each in page.get("Versions", []):
                    yield self._version(each["Key"], each["VersionId"], each["Size"])
                for marker in page.get("DeleteMarkers", []):
                    yield self._version(marker["Key"], marker["VersionId"], is_marker=True)

    def _version(
        self, key: str, version_id: str, size: int = 0, *, is_marker: bool = False
    ) -> ObjectVersion:
        address = ObjectAddress(self.bucket, key)
        return ObjectVersion(address=address, version_id=version_id, size=size, is_marker=is_marker)

    def delete(self, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, str]:
        return ObjectDeletion(self.client, self.abilities.deletes).of_versions(versions)

    def has_lock(self) -> bool:
        with translated_errors():
            try:
                answer = self.client.get_object_lock_configuration(Bucket=self.bucket)
            except ClientError as error:
                if code_of(error) in _NO_LOCK or is_unsupported(error):
                    return False
                raise
        return answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"

    def set_legal_hold(self, version: ObjectVersion, *, on: bool) -> None:
        arguments: PutObjectLegalHoldRequestTypeDef = {
            "Bucket": version.address.bucket,
            "Key": version.address.key,
            "LegalHold": {"Status": "ON" if on else "OFF"},
        }
        if version.version_id is not None:
            arguments["VersionId"] = version.version_id
        with translated_errors():
            self.client.put_object_legal_hold(**arguments)
