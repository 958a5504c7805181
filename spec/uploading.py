"""What meets a confirmation: a worker's upload, an operator, and the verification."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spec.confirmation import Bounds, Look, Rules, State, Step

FILE = 1


def steps(state: State, rules: Rules, bounds: Bounds) -> Iterator[Step]:
    if not state.uploads and state.asks < bounds.asks:
        asked = state.asked()
        yield "the producer asks", asked._replace(asks=state.asks + 1)
    if state.upload == "requested":
        yield "a worker stores the file", _stored(state)
    if state.upload == "sent":
        done = state._replace(upload="done", record=FILE)
        yield "the worker records the file", done
        if state.overtaken < bounds.overtaken:
            taken = done.doubted(upload=True)._replace(late=True, overtaken=state.overtaken + 1)
            yield "another worker has recorded it", taken
    if state.late:
        yield "the late worker says so", _noted(state, rules)
    if state.is_active and state.cancels < bounds.cancels:
        yield "the operator cancels", _cancelled(state, rules)
    yield from _verified(state, rules)


def _stored(state: State) -> State:
    # The condition of the PUT is looked up again until it is met, so it replaces the object.
    is_unrecorded = state.bucket not in {FILE, state.record}
    lost = state.lost or (state.is_against_client and is_unrecorded)
    return state.put(FILE)._replace(upload="sent", lost=lost)


def _noted(state: State, rules: Rules) -> State:
    after = state.doubted(upload=True)._replace(late=False)
    is_spared = state.is_for_client and rules.late_uploads_spare_clients
    if state.record not in {0, state.bucket} and not state.uploads and not is_spared:
        return after.asked(is_against_client=state.is_for_client)
    return after


def _cancelled(state: State, rules: Rules) -> State:
    after = state._replace(cancels=state.cancels + 1)
    if state.uploads:
        was_claimed = state.upload == "sent"
        after = after._replace(upload="cancelled")
        after = after.doubted(upload=True) if was_claimed and rules.verifies_cancelled else after
    if state.confirms:
        after = after._replace(confirm="cancelled", is_leased=False)
        after = after.doubted(upload=False) if rules.verifies_cancelled else after
    return after


def _verified(state: State, rules: Rules) -> Iterator[Step]:
    if state.look is not None:
        yield "the verification acts", _acted(state, state.look, rules)
        return
    may_come = state.has_url and rules.waits_for_urls
    is_due = state.upload_doubted or (state.confirm_doubted and not may_come)
    if is_due and not state.is_active:
        from spec.confirmation import Look  # noqa: PLC0415 - it names this module

        seen = (state.record, state.bucket, state.upload, state.number, state.is_for_client)
        yield "the verification looks", state._replace(look=Look(*seen, is_of_client=not may_come))


def _acted(state: State, look: Look, rules: Rules) -> State:
    left = state._replace(look=None)
    if look.record == look.bucket:
        return _cleared(left, look)
    after = left if rules.keeps_doubts_until_repaired else _cleared(left, look)
    is_spared = look.is_for_client and rules.spares_clients
    if look.upload == "done" and look.record and not is_spared:
        if state.uploads:
            return after
        return after.asked(is_against_client=look.is_for_client)
    if (state.upload, state.number, state.record) != (look.upload, look.number, look.record):
        return left
    # A client's object has no SHA-256 in its metadata, so a worker reads it.
    return after if state.confirms else after._replace(confirm="due")


def _cleared(state: State, look: Look) -> State:
    if look.doubted_since:
        return state
    confirm_doubted = state.confirm_doubted and not look.is_of_client
    return state._replace(upload_doubted=False, confirm_doubted=confirm_doubted)
