"""The state of a transfer as text for someone who waits for it."""

from collections.abc import Sequence
from datetime import datetime

from artifact_pipeline.domain.model.durations import age
from artifact_pipeline.domain.model.transfers import Transfer, TransferState

_NAMED = 5


def is_unclaimed(transfer: Transfer, now: datetime) -> bool:
    """Return whether the transfer may start now, and needs a worker."""
    return transfer.is_ready(now)


def progress_of(transfer: Transfer, now: datetime) -> str:
    """Return the state, such as `retry in 12s: sql_unavailable`."""
    if not transfer.state.is_active:
        return _with_reason(transfer.state, transfer)
    if is_unclaimed(transfer, now):
        died = transfer.state is TransferState.RUNNING
        text = "its worker died, waiting for another one" if died else "waiting for a worker"
        return f"{text} of the workspace {transfer.workspace}" if transfer.workspace else text
    if transfer.state is TransferState.RUNNING:
        return "running"
    word = "retry" if transfer.state is TransferState.WAITING else "due"
    return _with_reason(f"{word} in {age(transfer.next_attempt_at - now)}", transfer)


def summary_of(transfers: Sequence[Transfer], now: datetime) -> str:
    """Return one line that names the first transfers with their states, and counts the others."""
    named = [f"{each.artifact} ({progress_of(each, now)})" for each in transfers[:_NAMED]]
    more = len(transfers) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _with_reason(text: str, transfer: Transfer) -> str:
    return f"{text}: {transfer.reason_code}" if transfer.reason_code else text
