"""The settings, read from the environment and checked when they are read."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from domain.errors import ConfigurationError

_MIB = 2**20
_MIN_PART = 5 * _MIB  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
_MAX_PUT = 5 * 2**30


def _database_url(value: str) -> str:
    try:
        backend = make_url(value).get_backend_name()
    except ArgumentError:
        raise ValueError("not a database URL") from None
    if backend not in {"sqlite", "postgresql"}:
        raise ValueError(f"{backend} is not supported: use sqlite or postgresql")
    return value


def _broker_url(value: str) -> str:
    if not value.startswith(("redis://", "rediss://", "redis+socket://")):
        raise ValueError("use redis://, rediss:// or redis+socket://")
    return value


def _workspace(value: Path) -> Path:
    if not value.is_dir():
        raise ValueError("no such directory")
    return value


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ARTIFACTS_", frozen=True, extra="ignore")


class DatabaseSettings(_Settings):
    database_url: Annotated[str, AfterValidator(_database_url)]


class BrokerSettings(_Settings):
    broker_url: Annotated[str, AfterValidator(_broker_url)]


class WorkerSettings(DatabaseSettings, BrokerSettings):
    """Everything that a worker needs. Sizes are in bytes."""

    bucket: Annotated[str, Field(min_length=3, max_length=63)]
    s3_endpoint_url: str | None = None  # for an S3 that is not AWS's
    workspace: Annotated[Path, AfterValidator(_workspace)]
    sse: Literal["AES256", "aws:kms"] = "AES256"
    kms_key_id: str | None = None

    # Ten attempts with the backoff below spread over half an hour at the most likely.
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 10
    backoff_base_seconds: Annotated[float, Field(gt=0)] = 2
    backoff_cap_seconds: Annotated[float, Field(gt=0)] = 600
    # A dead worker's transfer waits this long; a living one renews at every third of it.
    lease_seconds: Annotated[float, Field(ge=1, le=3600)] = 60

    # Small enough that four parts on their way stay below 100 MiB, large enough for throughput.
    multipart_threshold: Annotated[int, Field(ge=_MIN_PART, le=_MAX_PUT)] = 16 * _MIB
    part_size: Annotated[int, Field(ge=_MIN_PART, le=_MAX_PUT)] = 16 * _MIB
    transfer_threads: Annotated[int, Field(ge=1, le=64)] = 4

    dispatch_page: Annotated[int, Field(ge=1, le=10_000)] = 500
    # A producer publishes at its commit; a request that is older and unclaimed may have lost its
    # message.
    dispatch_unclaimed_seconds: Annotated[float, Field(ge=0)] = 15
    # A message in a long queue is not lost; sending it again too often would make it longer.
    dispatch_republish_seconds: Annotated[float, Field(ge=1)] = 300

    @model_validator(mode="after")
    def _kms_needs_a_key(self) -> Self:
        if (self.sse == "aws:kms") != (self.kms_key_id is not None):
            raise ValueError(
                "ARTIFACTS_KMS_KEY_ID goes with ARTIFACTS_SSE=aws:kms, and only with it"
            )
        return self

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S]) -> S:
    """The settings of the environment.

    Raises:
        ConfigurationError: some are missing or wrong; names each variable, never quotes a value,
            which may hold a password.
    """
    try:
        return settings()
    except ValidationError as error:
        lines = [_line(item["loc"], item["msg"]) for item in error.errors()]
        raise ConfigurationError("; ".join(lines)) from None


def _line(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    if not location:
        return text
    return f"ARTIFACTS_{str(location[0]).upper()}: {text}"
