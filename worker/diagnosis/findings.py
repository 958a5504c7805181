"""What is found, how bad that is, and what to do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

_SKEW = timedelta(seconds=5)
_REFUSED_FROM = timedelta(minutes=15)
_HARM = (
    "the times in this host's log are off by that; if its clock is the wrong one, S3 refuses what"
    " it signs from 15 minutes on. Transfers, leases and retries do not go by it"
)
SIGNATURES = (
    "S3 refuses what this host signs from 15 minutes on; before that, the URLs that it signs expire"
    " that much too early or too late, as do its credentials"
)
"""What a difference from S3's clock does."""


class Severity(IntEnum):
    """How serious a finding is.

    Attributes: the exit status if nothing worse is found.
    """

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result of the diagnosis.

    Attributes: `why` it matters and the command to `fix` it are empty where all is well.
    """

    check: str
    severity: Severity
    what: str
    why: str = ""
    fix: str = ""


def ok(check: str, what: str) -> Finding:
    return Finding(check=check, severity=Severity.OK, what=what)


def warning(check: str, what: str, *, why: str, fix: str) -> Finding:
    return Finding(check=check, severity=Severity.WARNING, what=what, why=why, fix=fix)


def error(check: str, what: str, *, why: str, fix: str) -> Finding:
    return Finding(check=check, severity=Severity.ERROR, what=what, why=why, fix=fix)


def clock(check: str, theirs: datetime, *, harm: str = "") -> Finding:
    """Compare a server's clock with this machine's.

    Args:
        check: names the server.
        theirs: is aware, and was read just now.
        harm: of this difference alone, beside what a wrong clock of this machine does.
    """
    skew = theirs - datetime.now(UTC)
    if abs(skew) <= _SKEW:
        return ok(check, "its clock is ours")
    make = error if abs(skew) > _REFUSED_FROM else warning
    return make(
        check,
        f"its clock is {skew.total_seconds():+.0f} s from this host's",
        why=harm or _HARM,
        fix="set the clock that is wrong: timedatectl set-ntp true",
    )
