"""A confirmation: its URL, its client, the worker that looks, reads and records."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spec.confirmation import Bounds, Reader, Rules, State, Step

_READERS = 2


def steps(state: State, rules: Rules, bounds: Bounds) -> Iterator[Step]:
    yield from _outside(state, bounds)
    if state.confirm == "due" or (state.confirm == "running" and not state.is_leased):
        yield from _claimed(state)
    for n, reader in enumerate(state.readers):
        rest = state._replace(readers=state.readers[:n] + state.readers[n + 1 :])
        yield from _acted(rest, reader, rules)
        if state.deaths < bounds.deaths:
            yield "a worker dies", rest._replace(deaths=state.deaths + 1)


def _outside(state: State, bounds: Bounds) -> Iterator[Step]:
    if state.urls < bounds.urls:
        given = state._replace(has_url=True, is_new=False, is_for_client=True, urls=state.urls + 1)
        is_postponed = state.confirm in {"due", "running"}
        confirm = state.confirm if is_postponed else "expected"
        yield "a URL is given", given._replace(confirm=confirm)
    if state.has_url and state.puts < bounds.puts:
        content = 2 + state.puts
        yield f"the client puts {content}", state.put(content)._replace(puts=state.puts + 1)
    if state.has_url:
        yield "the URL expires", state._replace(has_url=False)
    if state.confirm == "expected":
        yield "it is due, or hastened", state._replace(confirm="due")
    if state.is_leased:
        yield "the lease runs out", state._replace(is_leased=False)


def _claimed(state: State) -> Iterator[Step]:
    if len(state.readers) == _READERS:
        return
    from spec.confirmation import Reader  # noqa: PLC0415 - it names this module

    fence = state.fence + 1
    reader = Reader(fence, state.record, state.bucket, state.is_new)
    claimed = state._replace(confirm="running", fence=fence, is_leased=True)
    yield "a worker looks", claimed._replace(readers=(*state.readers, reader))


def _acted(state: State, reader: Reader, rules: Rules) -> Iterator[Step]:
    holds = state.confirm == "running" and state.fence == reader.fence
    if not holds and rules.checks_fence:
        yield "a worker is turned away", state
        return
    is_known = reader.found == reader.known
    if not reader.found or (is_known and not reader.is_new):
        yield from _awaited(state, reader, rules)
    elif is_known:
        yield "a worker finds it recorded", _ended(state, rules)
    elif state.record == reader.known or not rules.records_what_was_known:
        yield f"a worker records {reader.found}", _recorded(state, reader, rules, holds=holds)
    else:
        yield "another was recorded", state._replace(confirm="due", is_leased=False)


def _awaited(state: State, reader: Reader, rules: Rules) -> Iterator[Step]:
    if state.has_url:
        yield "it waits", state._replace(confirm="expected", is_leased=False)
        return
    is_there = state.bucket != 0 and (state.is_new or state.bucket != reader.known)
    if is_there and rules.looks_once_more:
        yield "a worker looks once more", state._replace(confirm="due", is_leased=False)
        return
    given_up = state._replace(confirm="quarantined", is_leased=False)
    yield "it is given up", given_up._replace(lost_sight=state.lost_sight or is_there)


def _recorded(state: State, reader: Reader, rules: Rules, *, holds: bool) -> State:
    is_older = state.record not in {reader.known, reader.found}
    return _ended(state, rules)._replace(
        record=reader.found,
        late_record=state.late_record or not holds,
        older=state.older or is_older,
    )


def _ended(state: State, rules: Rules) -> State:
    done = state._replace(confirm="done", is_leased=False)
    return done.doubted(upload=False) if rules.verifies_confirmed else done
