"""The promises of docs/reliability.md, as far as the model of a small object can express them."""

from spec.single_put import State

STORED = "what is recorded as stored was stored"
AGREEMENT = "at rest, SQL records what the bucket holds"
FENCED = "a late worker records nothing"
NOT_OVERWRITTEN = "a late worker replaces nothing but what it had seen"
ONE_HOLDER = "two workers never hold the same claim"
LATEST = "at rest, a transfer that is done has stored the file as it is"


def broken_promise(state: State) -> str | None:
    """Return the first promise that the state breaks."""
    claims = [each.fence for each in state.workers if each.phase not in {"idle", "dead"}]
    holds = {
        STORED: state.record in state.ever,
        FENCED: not state.late_record,
        NOT_OVERWRITTEN: not state.overwrote,
        ONE_HOLDER: len(claims) == len(set(claims)),
        AGREEMENT: not _is_at_rest(state) or state.record == state.bucket,
        LATEST: not _is_settled_done(state) or state.record == state.file,
    }
    return next((promise for promise, is_kept in holds.items() if not is_kept), None)


def _is_at_rest(state: State) -> bool:
    is_quiet = all(each.phase in {"idle", "dead"} for each in state.workers)
    is_owed = state.is_active or state.is_doubted or state.look or state.in_flight
    return is_quiet and not is_owed


def _is_settled_done(state: State) -> bool:
    # A file that changes while its transfer is active is outside the promise, and so is one that
    # changes after it.
    return _is_at_rest(state) and state.transfer == "done" and not state.moved
