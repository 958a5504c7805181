"""What a check of the probe observes, and what the settings choose."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.s3.errors import code_of
from artifact_pipeline.worker.settings import BucketSettings

_FORBIDDEN = {"AccessDenied", "AllAccessDisabled", "403"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was observed.

    Attributes:
        severity: how bad it is if no setting works around it.
        settings: assignments that work around it, the best one first; None for the table's.
    """

    what: str
    severity: Severity = Severity.OK
    settings: tuple[str, ...] | None = None


def met(what: str) -> Outcome:
    return Outcome(what)


def unmet(
    what: str, settings: tuple[str, ...] | None = None, severity: Severity = Severity.ERROR
) -> Outcome:
    return Outcome(what, severity, settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreChoices:
    """What the settings say of the store's abilities; the defaults rely on all of them."""

    conditional_writes: bool = True
    checksum: str = "sha256"
    copies: str = "store"
    deletes: str = "checksum"
    tags: bool = False

    def has(self, assignment: str) -> bool:
        """Return whether the settings have that `NAME=value`."""
        return assignment in {
            f"ARTIFACTS_S3_CONDITIONAL_WRITES={str(self.conditional_writes).lower()}",
            f"ARTIFACTS_S3_CHECKSUM={self.checksum}",
            f"ARTIFACTS_S3_COPIES={self.copies}",
            f"ARTIFACTS_S3_DELETES={self.deletes}",
        }


def choices_of(settings: BucketSettings) -> StoreChoices:
    """Return what the settings choose."""
    return StoreChoices(
        conditional_writes=settings.s3_conditional_writes,
        checksum=settings.s3_checksum,
        copies=settings.s3_copies,
        deletes=settings.s3_deletes,
        tags=bool(settings.s3_tags),
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of the store that is an error."""

    status: int
    code: str

    @classmethod
    def of(cls, error: ClientError) -> "Refusal":
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return cls(status, code_of(error))

    @property
    def is_of_permissions(self) -> bool:
        return self.code in _FORBIDDEN

    @property
    def is_of_the_request(self) -> bool:
        return 400 <= self.status < 500  # noqa: PLR2004 - HTTP's classes

    def __str__(self) -> str:
        return f"{self.status} {self.code}" if self.code != str(self.status) else self.code


def refused(call: Callable[..., Any], *positional: Any, **arguments: Any) -> Refusal | None:  # noqa: ANN401
    """Return how the store refuses the call; None if it does not.

    Raises:
        ClientError: it is these credentials that may not.
    """
    try:
        call(*positional, **arguments)
    except ClientError as error:
        refusal = Refusal.of(error)
        if refusal.is_of_permissions:
            raise
        return refusal
    return None
