"""A worker: it claims, puts, and records; or fails, or is late, or dies."""

from collections.abc import Iterator

from spec.outside import carried_out
from spec.single_put import Bounds, Put, Rules, State, Step, Worker


def steps(state: State, rules: Rules, bounds: Bounds) -> Iterator[Step]:
    for n, worker in enumerate(state.workers):
        if n and worker == state.workers[n - 1]:
            continue  # what two equal workers can do differs only in their names
        of = _OneWorker(state, rules, bounds, n)
        yield from of.steps()


class _OneWorker:
    def __init__(self, state: State, rules: Rules, bounds: Bounds, number: int) -> None:
        self.state, self.rules, self.bounds = state, rules, bounds
        self.number, self.me = number, state.workers[number]

    def steps(self) -> Iterator[Step]:
        match self.me.phase:
            case "idle":
                yield from self._claim()
            case "claimed":
                yield from self._begin()
            case "sent":
                yield from self._sent()
            case "refused":
                yield self._look_again()
            case "answered":
                yield self._record()
            case "late":
                yield "a late worker says so", self._noted()
        if self._can_die():
            yield "a worker dies", self._dead()

    def _become(self, state: State, worker: Worker) -> State:
        workers = list(state.workers)
        workers[self.number] = worker
        return state._replace(workers=tuple(workers))

    def _claim(self) -> Iterator[Step]:
        state = self.state
        is_takeover = state.transfer == "running" and not state.is_leased
        if not state.has_message or not (state.transfer == "requested" or is_takeover):
            return
        fence = state.fence + 1 if self.rules.raises_fence else max(state.fence, 1)
        after = state._replace(
            transfer="running",
            fence=fence,
            is_leased=True,
            attempts=state.attempts + 1,
            has_message=False,
        )
        if is_takeover and self.rules.verifies_taken_over:
            after = after.doubted()
        if after.attempts > self.bounds.attempts:
            yield "poisoned", self._quarantined(after)
        else:
            yield "a worker claims", self._become(after, Worker("claimed", fence))

    def _begin(self) -> Iterator[Step]:
        state, fence = self.state, self.me.fence
        if state.record == state.file == state.bucket:
            yield "unchanged", self._become(state, Worker("answered", fence, state.file))
            return
        sent = Worker("sent", fence, state.file, state.record)
        if not self.rules.records_after_put and state.holds(self.me):
            state = state._replace(record=state.file).ended("done")
        yield f"a worker sends PUT {state.file}", self._become(state, sent)

    def _sent(self) -> Iterator[Step]:
        state, me = self.state, self.me
        if state.bucket == me.replaces or not self.rules.puts_conditionally:
            done = carried_out(state, me.fence, me.content, me.replaces)
            yield "S3 answers", self._become(done, me._replace(phase="answered"))
            yield "the answer is lost", self._failed(done)
        elif state.bucket == me.content:
            yield "it is there already", self._become(state, me._replace(phase="answered"))
        else:
            yield "S3 refuses", self._become(state, me._replace(phase="refused"))
        if len(state.in_flight) < self.bounds.in_flight:
            yield "no answer in time", self._failed(self._in_flight(state))

    def _look_again(self) -> Step:
        # First the look, then the fence: a successor's write changes what was seen.
        state, me = self.state, self.me
        if not state.holds(me):
            return "the lease was lost", self._become(state, me._replace(phase="late"))
        sent = me._replace(phase="sent", replaces=state.bucket)
        return "a worker looks, renews, sends", self._become(state, sent)

    def _record(self) -> Step:
        state, me = self.state, self.me
        if state.holds(me) or not self.rules.checks_fence:
            late = state.late_record or not state.holds(me)
            after = state._replace(record=me.content, late_record=late).ended("done")
            return f"a worker records {me.content}", self._become(after, Worker())
        return "a worker is turned away", self._become(state, me._replace(phase="late"))

    def _failed(self, state: State) -> State:
        if not state.holds(self.me):
            return self._become(state, self.me._replace(phase="late"))
        if state.attempts >= self.bounds.attempts:
            return self._become(self._quarantined(state), Worker())
        waiting = state.ended("requested").doubted()
        return self._become(waiting, Worker())

    def _quarantined(self, state: State) -> State:
        after = state.ended("quarantined")
        return after.doubted() if self.rules.verifies_quarantined else after

    def _noted(self) -> State:
        state = self._become(self.state, Worker())
        if self.rules.notes_late_writes:
            state = state.doubted()
        if state.record not in {0, state.bucket} and not state.is_active:
            return state._replace(transfer="requested", has_message=True, attempts=0, moved=False)
        return state

    def _can_die(self) -> bool:
        if self.me.phase == "dead" or self.state.deaths >= self.bounds.deaths:
            return False
        # Of a late worker that dies nothing is heard, so what it sent must have settled before the
        # verification looks, which is still to come while the doubt is there.
        is_late = self.me.phase not in {"idle", "claimed"} and not self.state.holds(self.me)
        is_seen = self.state.is_doubted and self.state.look is None
        return not is_late or is_seen or not self.rules.late_workers_survive

    def _dead(self) -> State:
        state = self._in_flight(self.state) if self.me.phase == "sent" else self.state
        return self._become(state, Worker("dead"))._replace(deaths=state.deaths + 1)

    def _in_flight(self, state: State) -> State:
        put = Put(self.me.fence, self.me.content, self.me.replaces)
        return state._replace(in_flight=(*state.in_flight, put))
