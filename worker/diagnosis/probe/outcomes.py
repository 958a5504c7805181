"""What a check of the probe observes, and the settings that work around it."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError

from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.s3.abilities import StoreAbilities
from artifact_pipeline.worker.s3.errors import code_of, is_passing

_FORBIDDEN = {"AccessDenied", "AllAccessDisabled", "403"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was observed.

    Attributes:
        severity: how bad it is if no setting works around it.
        settings: assignments that work around it, the best one first; None for the table's.
        otherwise: what to do where no setting helps; empty for the table's.
    """

    what: str
    severity: Severity = Severity.OK
    settings: tuple[str, ...] | None = None
    otherwise: str = ""


def met(what: str) -> Outcome:
    return Outcome(what)


def unmet(
    what: str, settings: tuple[str, ...] | None = None, severity: Severity = Severity.ERROR
) -> Outcome:
    return Outcome(what, severity, settings)


def assignments_of(abilities: StoreAbilities) -> set[str]:
    """Return the settings that choose these abilities, each as `NAME=value`."""
    return {
        f"ARTIFACTS_S3_CONDITIONAL_WRITES={str(abilities.conditional_writes).lower()}",
        f"ARTIFACTS_S3_CHECKSUM={abilities.checksum}",
        f"ARTIFACTS_S3_COPIES={abilities.copies}",
        f"ARTIFACTS_S3_DELETES={abilities.deletes}",
    }


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of the store that is an error."""

    status: int
    code: str
    is_of_the_moment: bool = False
    """Of a request that may succeed if it is sent again, and so nothing that the store lacks."""

    @classmethod
    def of(cls, error: ClientError) -> "Refusal":
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        # botocore has repeated a request with a 5xx; some stores answer it to what they lack.
        of_the_moment = is_passing(error) and status < HTTPStatus.INTERNAL_SERVER_ERROR
        return cls(status, code_of(error), of_the_moment)

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
        ClientError: it is these credentials that may not, or the refusal passes.
    """
    try:
        call(*positional, **arguments)
    except ClientError as error:
        refusal = Refusal.of(error)
        if refusal.is_of_permissions or refusal.is_of_the_moment:
            raise
        return refusal
    return None
