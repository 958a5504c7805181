"""The timeline of a transfer: what its row knows of its past, and what is due."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from artifact_pipeline.domain.model.attempts import Attempt, parse_attempts
from artifact_pipeline.domain.model.transfers import NO_FAILURE_REASONS, Transfer, TransferState


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """A moment in the life of a transfer.

    Attributes:
        what: a stable name, such as `requested`, `failed` or `quarantined`.
        is_future: it is due then.
    """

    at: datetime
    what: str
    detail: str | None = None
    is_future: bool = False


def timeline(transfer: Transfer, now: datetime) -> list[TimelineEvent]:
    """Return the transfer's events in their order. Args: `now` by the clock of its times."""
    return sorted(_events(transfer, now), key=attrgetter("at"))


def _events(transfer: Transfer, now: datetime) -> Iterator[TimelineEvent]:
    by = transfer.requested_by
    yield TimelineEvent(transfer.requested_at, "requested", None if by is None else f"by {by}")
    if transfer.enqueued_at is not None:
        yield TimelineEvent(transfer.enqueued_at, "published")
    past = parse_attempts(transfer.past_attempts)
    yield from map(_past, past)
    began_at = transfer.claimed_at
    # The last attempt is one of the past ones too, once it has failed.
    if began_at is not None and began_at not in {each.began_at for each in past}:
        yield TimelineEvent(began_at, "attempt", _attempt(transfer, began_at))
    if transfer.state.is_active:
        yield from _coming(transfer, now)
    elif transfer.finished_at is not None:
        # The last attempt says the same just before.
        why = None if past and past[-1].why == _why(transfer) else _why(transfer)
        yield TimelineEvent(transfer.finished_at, transfer.state, why)
    if transfer.doubted_at is not None:
        yield TimelineEvent(transfer.doubted_at, "outcome to verify")
    if transfer.verified_to is not None:
        yield TimelineEvent(transfer.verified_to, "verified")


def _past(attempt: Attempt) -> TimelineEvent:
    said = [f"attempt {attempt.number}"]
    if attempt.began_at is not None:
        said.append(_seconds(attempt.began_at, attempt.ended_at))
    if attempt.worker is not None:
        said.append(f"on {attempt.worker}")
    detail = ": ".join(filter(None, (", ".join(said), attempt.why)))
    return TimelineEvent(attempt.ended_at, attempt.end, detail)


def _coming(transfer: Transfer, now: datetime) -> Iterator[TimelineEvent]:
    if transfer.state is TransferState.RUNNING:
        expires = transfer.lease_expires_at
        if expires is not None:
            expired = expires <= now
            what = "lease expired" if expired else "lease expires"
            yield TimelineEvent(expires, what, is_future=not expired)
        return
    failed = transfer.reason_code is not None and transfer.reason_code not in NO_FAILURE_REASONS
    yield TimelineEvent(
        transfer.next_attempt_at,
        "retry" if failed else "due",
        _why(transfer),
        is_future=transfer.next_attempt_at > now,
    )


def _attempt(transfer: Transfer, began_at: datetime) -> str:
    number = f"attempt {max(1, transfer.attempts)}"
    end = transfer.finished_at
    if end is None or end < began_at:
        return number
    return f"{number}, {_seconds(began_at, end)}"


def _seconds(begin: datetime, end: datetime) -> str:
    return f"{(end - begin).total_seconds():.1f} s"


def _why(transfer: Transfer) -> str | None:
    return ": ".join(filter(None, (transfer.reason_code, transfer.last_error))) or None
