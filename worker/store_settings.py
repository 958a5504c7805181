"""The settings of the store, and the class of all settings."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from artifact_pipeline.domain.model.endpoints import Endpoint
from artifact_pipeline.domain.model.parts import MIN_PART
from artifact_pipeline.worker.byte_sizes import Bytes
from artifact_pipeline.worker.s3.abilities import Checksum, Copies, Deletes, StoreAbilities
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.endpoint_forms import addressing_refusal
from artifact_pipeline.worker.s3.tags import NO_TAGS, ObjectTags
from artifact_pipeline.worker.setting_checks import (
    check_checksum,
    check_endpoint_url,
    check_store,
    check_stores,
    check_tags,
    split_stores,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artifact_pipeline.worker.file_store.root import StoreRoot

_MIB = 2**20
_WEEK = 7 * 24 * 3600
_MAX_PUT = 5 * 2**30
_PartBytes = Annotated[Bytes, Field(ge=MIN_PART, le=_MAX_PUT)]


class EnvironmentSettings(BaseSettings):
    """Settings that the environment has, each beginning with `ARTIFACTS_`."""

    model_config = SettingsConfigDict(
        env_prefix="ARTIFACTS_", frozen=True, extra="ignore", defer_build=True
    )


class PartSettings(EnvironmentSettings):
    """How an object is cut; sizes are in bytes, or have a unit such as 16MiB."""

    # Small enough that four parts on their way stay below 100 MiB, large enough for throughput.
    multipart_threshold: _PartBytes = 16 * _MIB
    part_size: _PartBytes = 16 * _MIB


class BucketSettings(PartSettings):
    # A directory that artifacts are stored in, instead of the bucket, and others to read from.
    store: Annotated[str, AfterValidator(check_store)] = ""
    other_stores: Annotated[str, AfterValidator(check_stores)] = ""
    bucket: Annotated[
        str,
        Field(
            min_length=3,
            max_length=63,
            pattern=r"^[\w.-]+$",
            examples=["my-artifacts"],
            validate_default=True,
        ),
    ] = ""
    # For an S3 that is not AWS's.
    s3_endpoint_url: Annotated[str, AfterValidator(check_endpoint_url)] | None = None
    # Presigned URLs are made for it, where clients reach S3 by another host than workers do.
    s3_public_endpoint_url: Annotated[str, AfterValidator(check_endpoint_url)] | None = None
    # Where requests and URLs have the bucket.
    s3_addressing: Literal["auto", "path", "virtual"] = "auto"
    # Asked for with each write; by default nothing is, and the bucket's default encrypts.
    sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    kms_key_id: Annotated[str, Field(min_length=1)] | None = None
    # What an S3 that is not AWS's may lack, and what is done instead.
    s3_conditional_writes: bool = True
    s3_checksum: Annotated[Checksum, AfterValidator(check_checksum)] = Checksum.SHA256
    s3_copies: Copies = Copies.STORE
    s3_deletes: Deletes = Deletes.CHECKSUM

    transfer_threads: Annotated[int, Field(ge=1, le=64)] = 4
    # Bytes per second of a process, up and down together.
    bandwidth: Annotated[Bytes, Field(ge=64 * 1024)] | None = None
    # S3 answers within it or is taken for dead (seconds); a CompleteMultipartUpload is the slowest.
    s3_timeout_seconds: Annotated[float, Field(ge=1, le=3600)] = 60
    # How long a client may begin to use an upload URL, or a download URL (seconds); S3 allows a
    # week.
    url_expires: Annotated[int, Field(ge=1, le=_WEEK)] = 3600
    download_url_expires: Annotated[int, Field(ge=1, le=_WEEK)] = 24 * 3600
    # An upload URL that signs the encryption makes the client send it: a plain PUT is then refused.
    url_signs_encryption: bool = False
    # Of uploads: NAME=VALUE, separated by commas.
    s3_tags: Annotated[str, AfterValidator(check_tags)] = ""
    # An upload URL that signs the tags makes the client send them too.
    url_signs_tags: bool = False
    # Whether zips of results have the files' times of modification; without, a re-run that writes
    # the same files sends nothing.
    zip_times: Literal["drop", "keep"] = "drop"

    @field_validator("bucket", mode="wrap")
    @classmethod
    def _a_directory_needs_no_bucket(
        cls, value: str, check: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> str:
        if value:
            bucket: str = check(value)
            return bucket
        if not info.data.get("store", "invalid"):
            raise PydanticCustomError("missing", "not set")
        return ""

    @property
    def stores(self) -> "Sequence[StoreRoot]":
        """The directories of artifacts: first the one that is written to; none with a bucket."""
        from artifact_pipeline.worker.file_store.urls import parse_root  # noqa: PLC0415 - as in check_store

        return [parse_root(url) for url in split_stores(f"{self.store},{self.other_stores}")]

    @property
    def keeps_zip_times(self) -> bool:
        return self.zip_times == "keep"

    @property
    def tags(self) -> ObjectTags:
        """What uploads tag their objects with."""
        return ObjectTags.parse(self.s3_tags)

    @property
    def signed_tags(self) -> ObjectTags:
        """What clients must tag their uploads with."""
        return self.tags if self.url_signs_tags else NO_TAGS

    @property
    def abilities(self) -> StoreAbilities:
        """The abilities of the store, as chosen; its address may show that it lacks others."""
        return StoreAbilities(
            conditional_writes=self.s3_conditional_writes,
            checksum=self.s3_checksum,
            copies=self.s3_copies,
            deletes=self.s3_deletes,
        )

    @property
    def encryption(self) -> Encryption:
        """What writes ask for."""
        chosen = Encryption(self.sse, self.kms_key_id)
        return chosen.with_signing(is_signed=self.url_signs_encryption)

    @model_validator(mode="after")
    def _buckets_can_stand_in_the_host(self) -> Self:
        # Without an endpoint here, AWS's own settings may name one; the client checks that.
        for name in ("s3_endpoint_url", "s3_public_endpoint_url"):
            url = getattr(self, name) if self.s3_addressing == "virtual" else None
            why = Endpoint.of(url).obstacle(self.bucket) if url else None
            if why is not None:
                raise ValueError(addressing_refusal(f"{why} (ARTIFACTS_{name.upper()})"))
        return self

    @model_validator(mode="after")
    def _other_stores_need_one(self) -> Self:
        if self.other_stores and not self.store:
            raise ValueError("ARTIFACTS_OTHER_STORES needs ARTIFACTS_STORE. Set both, or neither")
        return self

    @model_validator(mode="after")
    def _a_key_needs_kms(self) -> Self:
        if self.kms_key_id is not None and self.sse not in {"aws:kms", "aws:kms:dsse"}:
            raise ValueError(
                "ARTIFACTS_KMS_KEY_ID needs ARTIFACTS_SSE=aws:kms or aws:kms:dsse. Set that,"
                " or unset the key"
            )
        return self

    @model_validator(mode="after")
    def _md5_needs_etags_that_are_md5(self) -> Self:
        # The ETags of parts could not be compared when an upload is resumed.
        if self.s3_checksum is Checksum.MD5 and self.encryption.is_by_kms:
            raise ValueError(
                f"ARTIFACTS_S3_CHECKSUM=md5: with ARTIFACTS_SSE={self.sse} an ETag is not an MD5."
                " Use sha256, crc32c or read-back"
            )
        return self
