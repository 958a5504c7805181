"""What beat asks for: messages are sent again, and writes of unknown outcome are verified."""

from collections.abc import Iterator

from spec.single_put import Bounds, Look, Rules, State, Step


def steps(state: State, rules: Rules, bounds: Bounds) -> Iterator[Step]:
    del bounds
    is_due = state.transfer == "requested" or (state.transfer == "running" and not state.is_leased)
    if is_due and not state.has_message and rules.resends_messages:
        yield "the dispatch sends", state._replace(has_message=True)
    if state.look is not None:
        yield "the verification acts", _acted(state, state.look, rules)
    elif state.is_doubted and not state.is_active and _has_settled(state, rules):
        look = Look(state.record, state.bucket, state.transfer == "done")
        yield "the verification looks", state._replace(look=look)


def _has_settled(state: State, rules: Rules) -> bool:
    return not state.in_flight or not rules.waits_for_late_puts


def _acted(state: State, look: Look, rules: Rules) -> State:
    still_doubted = look.doubted_since and rules.keeps_later_doubts
    verified = state._replace(look=None, is_doubted=still_doubted)
    left = state._replace(look=None)
    if look.record == look.bucket:
        return verified
    if look.was_done and look.record:
        # Whatever becomes of the repair, look again: it may be cancelled, or absorbed by an active
        # transfer that has looked before.
        after = left if rules.keeps_doubts_until_repaired else verified
        if state.is_active:
            return after
        return after._replace(transfer="requested", attempts=0, moved=False)
    is_newer = state.is_active or state.transfer == "done"
    if state.record != look.record or is_newer:
        return left
    # A record that became another and the first again since the look is not told apart.
    after = left if rules.looks_again_after_recording else verified
    return after._replace(record=look.bucket)
