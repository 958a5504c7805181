"""Artifacts: what they are, and what is known of one that is stored."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.checksums import Checksum
from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.kinds import ArtifactKind as ArtifactKind  # noqa: PLC0414 - re-exported


def is_id(value: object) -> bool:
    """Return whether it is an id as the platform has them."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ID


def kind_of(kind: Any) -> ArtifactKind:  # noqa: ANN401 - whatever a caller gives
    """Return the kind, which may be given by its text, such as "run_results".

    Raises:
        InvalidRequestError: it is no kind.
    """
    try:
        return ArtifactKind(kind)
    except ValueError:
        kinds = ", ".join(ArtifactKind)
        raise InvalidRequestError(f"kind: {kind!r} is not a kind; give one of {kinds}") from None


@dataclass(frozen=True, slots=True)
class Artifact:
    """The identity of an artifact: one kind of one job, or of one of its runs.

    Raises:
        InvalidRequestError: the kind is none, an id is out of range, or a run id is missing or too
            many.
    """

    kind: ArtifactKind
    job_id: int
    run_id: int | None = None

    def __post_init__(self) -> None:
        if type(self.kind) is not ArtifactKind:
            object.__setattr__(self, "kind", kind_of(self.kind))
        if not is_id(self.job_id):
            raise InvalidRequestError(f"job_id must be from 1 to {MAX_ID}, not {self.job_id!r}")
        if self.kind.belongs_to_run and not is_id(self.run_id):
            raise InvalidRequestError(
                f"{self.kind} needs a run_id from 1 to {MAX_ID}, not {self.run_id!r}"
            )
        if not self.kind.belongs_to_run and self.run_id is not None:
            raise InvalidRequestError(
                f"run_id: {self.run_id!r}, but {self.kind} belongs to the job; leave it out"
            )

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of its object."""
        run = {} if self.run_id is None else {"run": str(self.run_id)}
        return {"job": str(self.job_id), **run, "kind": self.kind.value}

    def __str__(self) -> str:
        run = "" if self.run_id is None else f" run {self.run_id}"
        return f"{self.kind} of job {self.job_id}{run}"


def listing_order(artifact: Artifact) -> tuple[int, str]:
    """Return the key by which a job's artifacts are sorted: its own first, then by run."""
    return artifact.run_id or 0, artifact.kind


def artifact_order(artifact: Artifact) -> tuple[int, int, str]:
    """Return the key by which artifacts of several jobs are sorted."""
    return artifact.job_id, *listing_order(artifact)


class Scheme(StrEnum):
    """Which rule an artifact's key was built by."""

    PREFIX = "prefix"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What the store acknowledged.

    Attributes:
        size: bytes.
        sha256: of the whole object, hexadecimal.
        checksum: the store's own SHA-256; None if it has none.
        version: a token that changes with each write.
        version_id: under which a store that keeps replaced objects keeps this one; None if it does
            not.
        tier_name: the name of its tier.
        bytes_sent: bytes that went over the wire for it; fewer than `size` after a resumption.
    """

    key: str
    size: int
    sha256: str
    version: str
    checksum: Checksum | None = None
    version_id: str | None = None
    tier_name: str = "STANDARD"
    bytes_sent: int = 0

    @property
    def etag(self) -> str:
        """Return `version`, by its former name, which code of platforms may read."""
        return self.version

    @property
    def storage_class(self) -> str:
        """Return `tier_name`, by its former name."""
        return self.tier_name

    @property
    def s3_checksum(self) -> str:
        """Return `checksum` as text, by its former name; empty without one."""
        return "" if self.checksum is None else str(self.checksum)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArtifact:
    """A row of `artifacts`: this artifact is stored, and these are its bytes.

    Attributes:
        stored_at: when it was recorded, by the database's clock. None before that: the repository
            then takes the time of its write.
    """

    artifact: Artifact
    object: StoredObject
    stored_at: datetime | None = None
    scheme: Scheme = Scheme.PREFIX
    links_left_out: int = 0

    @property
    def recorded_at(self) -> datetime:
        """When it was recorded. Raises: ValueError: it was not recorded yet."""
        if self.stored_at is None:
            raise ValueError(f"{self.artifact} was not recorded yet")
        return self.stored_at


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenUpload:
    """An unfinished upload in the bucket, neither completed nor aborted; it costs storage.

    Attributes:
        initiated_at: by the store's clock.
        listed_at: when the store listed it, by the same clock.
    """

    key: str
    upload_id: str
    initiated_at: datetime
    listed_at: datetime

    @property
    def age(self) -> timedelta:
        return self.listed_at - self.initiated_at
