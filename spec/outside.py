"""What happens around the workers: producers, operators, time, the network and the broker."""

from collections.abc import Iterator

from spec.single_put import Bounds, Rules, State, Step


def steps(state: State, rules: Rules, bounds: Bounds) -> Iterator[Step]:
    yield from _of_producers(state, bounds)
    if state.is_active and state.cancels < bounds.cancels:
        yield "the operator cancels", cancelled(state, rules)
    if state.is_leased:
        yield "the lease runs out", state._replace(is_leased=False)
    if state.has_message and state.deaths < bounds.deaths:
        yield "the broker forgets", state._replace(has_message=False, deaths=state.deaths + 1)
    yield from _of_the_network(state, rules)


def cancelled(state: State, rules: Rules) -> State:
    after = state.ended("cancelled")._replace(cancels=state.cancels + 1)
    was_claimed = state.attempts > 0
    return after.doubted() if was_claimed and rules.verifies_cancelled else after


def _of_producers(state: State, bounds: Bounds) -> Iterator[Step]:
    if not state.is_active and state.asks < bounds.asks:
        asked = state._replace(
            transfer="requested", has_message=True, attempts=0, moved=False, asks=state.asks + 1
        )
        yield "the producer asks", asked
    if state.edits < 2 * bounds.edits and state.asks:
        after = state._replace(file=3 - state.file, edits=state.edits + 1, moved=True)
        yield f"the file becomes {after.file}", after


def _of_the_network(state: State, rules: Rules) -> Iterator[Step]:
    for n, put in enumerate(state.in_flight):
        rest = state._replace(in_flight=state.in_flight[:n] + state.in_flight[n + 1 :])
        yield f"a late PUT of {put.content} is lost", rest
        if state.bucket == put.replaces or not rules.puts_conditionally:
            yield f"a late PUT of {put.content} is carried out", carried_out(rest, *put)


def carried_out(state: State, fence: int, content: int, replaces: int) -> State:
    is_late = state.transfer != "running" or state.fence != fence
    overwrote = is_late and state.bucket not in {replaces, content}
    return state._replace(
        bucket=content,
        ever=state.ever | {content},
        overwrote=state.overwrote or overwrote,
    )
