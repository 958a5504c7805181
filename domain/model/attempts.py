"""Past attempts of a transfer: those that ended without success, as its row keeps them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import TypeAdapter, ValidationError

from artifact_pipeline.domain.model.transfers import NO_FAILURE_REASONS
from artifact_pipeline.domain.reasons import ReasonCode, reason_of

MAX_PAST_ATTEMPTS = 4_000
"""Characters that are kept of a transfer's past attempts, the last ones."""

NO_ATTEMPT_REASONS = (*NO_FAILURE_REASONS, ReasonCode.STORE_BREAKER_OPEN)
"""Reasons of claims that end without an attempt. In an outage they would displace the others."""


class AttemptEnd(StrEnum):
    """How an attempt ended that did not succeed."""

    FAILED = "failed"
    LOST = "lost"
    """Its lease ran out, and another worker claimed the transfer."""
    RELEASED = "released"
    """Its worker shut down and gave it back; it does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that ended without success.

    Attributes:
        number: what the transfer's `attempts` was; one that did not count shares it with the next.
        began_at: when it was claimed; None if an earlier version claimed it.
        ended_at: when it failed or was given back; of a lost one, when its lease ran out.
        worker: the owner of its lease.
        error: one line, redacted.
    """

    number: int
    began_at: datetime | None
    ended_at: datetime
    worker: str | None
    end: AttemptEnd
    reason: ReasonCode | None = None
    error: str | None = None

    @property
    def why(self) -> str | None:
        """Its reason and its error."""
        return ": ".join(filter(None, (self.reason, self.error))) or None


_Line = tuple[int, datetime | None, datetime, str | None, AttemptEnd, str | None, str | None]
_LINE: TypeAdapter[_Line] = TypeAdapter(_Line)


def with_attempt(past: str | None, attempt: Attempt) -> str:
    """Return the text with one more line, as the repositories append it in SQL.

    Each attempt is a line feed and an array of JSON, in which no text has a line feed.
    """
    line = _LINE.dump_python(
        (
            *(attempt.number, attempt.began_at, attempt.ended_at, attempt.worker),
            *(attempt.end, attempt.reason, attempt.error),
        ),
        mode="json",
    )
    return f"{past or ''}\n{json.dumps(line, ensure_ascii=False)}"[-MAX_PAST_ATTEMPTS:]


def parse_attempts(past: str | None) -> tuple[Attempt, ...]:
    """Return the attempts of such a text, the first one first.

    What another program has written there is left out: it must not keep the transfer from working.
    """
    # What stands before the first line feed is the rest of a line that was cut.
    return tuple(_parsed(past.partition("\n")[2])) if past else ()


def _parsed(lines: str) -> Iterator[Attempt]:
    for line in lines.split("\n"):
        try:
            number, began_at, ended_at, worker, end, reason, error = _LINE.validate_json(line)
        except ValidationError:
            continue
        yield Attempt(
            number=number,
            began_at=None if began_at is None else _in_utc(began_at),
            ended_at=_in_utc(ended_at),
            worker=worker,
            end=end,
            reason=reason_of(reason),
            error=error,
        )


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
