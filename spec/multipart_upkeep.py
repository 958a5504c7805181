"""What happens around a multipart upload: producers, operators, the network, reconcile."""

from collections.abc import Iterator

from spec.multipart import (
    Bounds,
    Look,
    Rules,
    State,
    Step,
    carried_out,
    is_abandoned,
    may_complete,
)


def steps(state: State, rules: Rules, bounds: Bounds) -> Iterator[Step]:
    yield from _of_people(state, rules, bounds)
    if state.is_leased:
        yield "the lease runs out", state._replace(is_leased=False)
    for n, late in enumerate(state.in_flight):
        rest = state._replace(in_flight=state.in_flight[:n] + state.in_flight[n + 1 :])
        yield "a late completion is lost", rest
        is_allowed = state.bucket == late.replaces or not rules.completes_conditionally
        if is_allowed and may_complete(state, late, rules):
            yield f"a late completion of {late.content} is carried out", carried_out(rest, late)
    for upload in state.open:
        if is_abandoned(state, upload, rules):
            yield f"the reconcile aborts upload {upload.number}", state.aborted(upload.number)
    yield from _verified(state, rules)


def _of_people(state: State, rules: Rules, bounds: Bounds) -> Iterator[Step]:
    if not state.is_active and state.asks < bounds.asks:
        yield "the producer asks", state.asked()._replace(asks=state.asks + 1)
    if state.edits < bounds.edits and state.asks:
        edited = state._replace(file=3 - state.file, edits=state.edits + 1)
        yield f"the file becomes {edited.file}", edited
    if state.cancels < bounds.cancels and (state.is_active or state.reading):
        after = state._replace(cancels=state.cancels + 1, reading=None)
        if state.is_active:
            after = after.ended("cancelled")
            after = after.doubted() if state.attempts and rules.verifies_cancelled else after
        yield "the operator cancels", after


def _verified(state: State, rules: Rules) -> Iterator[Step]:
    if state.reading is not None:
        yield "a worker records what it has read", _read(state, state.reading, rules)
    if state.look is not None:
        yield "the verification acts", _acted(state, state.look)
        return
    has_settled = not state.in_flight or not rules.waits_for_late_completions
    is_idle = not state.is_active and state.reading is None
    if state.is_doubted and is_idle and has_settled:
        yield "the verification looks", state._replace(look=_look(state))


def _look(state: State) -> Look:
    return Look(state.record, state.bucket, state.transfer == "done", state.fence)


def _acted(state: State, look: Look) -> State:
    left = state._replace(look=None)
    if look.record == look.bucket:
        return left._replace(is_doubted=look.doubted_since)
    if state.is_active or state.reading is not None:
        return left
    if look.was_done and look.record:
        return left.asked()
    # S3 has no SHA-256 of an object in parts, so a worker reads the object.
    return left._replace(reading=_look(state))


def _read(state: State, reading: Look, rules: Rules) -> State:
    after = state._replace(reading=None)
    if state.record != reading.record and rules.records_what_was_known:
        return after
    is_stale = state.record not in {reading.record, reading.bucket}
    # The confirmation is verified too, once it is done.
    return after._replace(record=reading.bucket, stale=state.stale or is_stale).doubted()
