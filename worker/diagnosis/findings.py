"""What is found, how bad that is, and what to do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

_SKEW = timedelta(seconds=5)


class Severity(IntEnum):
    """Attributes: the exit status of whoever finds nothing worse."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Attributes: `why` it matters and the command to `mend` it are empty where all is well."""

    check: str
    severity: Severity
    what: str
    why: str = ""
    mend: str = ""


def ok(check: str, what: str) -> Finding:
    return Finding(check=check, severity=Severity.OK, what=what)


def warning(check: str, what: str, *, why: str, mend: str) -> Finding:
    return Finding(check=check, severity=Severity.WARNING, what=what, why=why, mend=mend)


def error(check: str, what: str, *, why: str, mend: str) -> Finding:
    return Finding(check=check, severity=Severity.ERROR, what=what, why=why, mend=mend)


def clock(check: str, theirs: datetime) -> Finding:
    """How far somebody's clock is from ours. Args: `theirs` is aware, and read just now."""
    skew = theirs - datetime.now(UTC)
    if abs(skew) <= _SKEW:
        return ok(check, "its clock is ours")
    return warning(
        check,
        f"its clock is {skew.total_seconds():+.0f} s from ours",
        why="ages and expiries are wrong by that; from 15 minutes on, S3 refuses what is signed",
        mend="timedatectl set-ntp true",
    )
