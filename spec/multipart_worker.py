"""A worker of a multipart upload."""

from collections.abc import Callable, Iterator

from spec.multipart import (
    PARTS,
    Bounds,
    Completion,
    Rules,
    State,
    Step,
    Upload,
    Worker,
    carried_out,
    may_complete,
)


def steps(state: State, rules: Rules, bounds: Bounds) -> Iterator[Step]:
    for n, worker in enumerate(state.workers):
        if n and worker == state.workers[n - 1]:
            continue  # what two equal workers can do differs only in their names
        yield from _OneWorker(state, rules, bounds, n).steps()


class _OneWorker:
    def __init__(self, state: State, rules: Rules, bounds: Bounds, number: int) -> None:
        self.state, self.rules, self.bounds = state, rules, bounds
        self.number, self.me = number, state.workers[number]

    def steps(self) -> Iterator[Step]:
        of_phase: dict[str, Callable[[], Iterator[Step]]] = {
            "idle": self._claim,
            "claimed": self._begin,
            "unchanged": self._abort,
            "created": self._keep,
            "sending": self._send,
            "sent": self._complete,
            "refused": self._look_again,
            "answered": self._record,
            "late": self._note,
        }
        if self.me.phase != "dead":
            yield from of_phase[self.me.phase]()
        if self._can_die():
            yield "a worker dies", self._dead()

    def _become(self, state: State, worker: Worker) -> State:
        workers = list(state.workers)
        workers[self.number] = worker
        return state._replace(workers=tuple(workers))

    def _claim(self) -> Iterator[Step]:
        state = self.state
        is_takeover = state.transfer == "running" and not state.is_leased
        if not (state.transfer == "requested" or is_takeover):
            return
        fence, attempts = state.fence + 1, state.attempts + 1
        claimed = state._replace(transfer="running", fence=fence, is_leased=True, attempts=attempts)
        if is_takeover and self.rules.verifies_taken_over:
            claimed = claimed.doubted()
        if attempts > self.bounds.attempts:
            yield "poisoned", claimed.ended("quarantined").doubted()
            return
        worker = Worker("claimed", fence, state.file, state.record, state.kept)
        yield "a worker claims", self._become(claimed, worker)

    def _begin(self) -> Iterator[Step]:
        state, me = self.state, self.me
        answered = me._replace(phase="answered")
        if state.record == me.content == state.bucket:
            yield "unchanged", self._become(state, me._replace(phase="unchanged"))
        elif state.upload(me.upload) is not None:
            yield "a worker goes on", self._become(state, me._replace(phase="sending"))
        elif me.upload and state.bucket == me.content:
            yield "it was completed already", self._become(state, answered)
        elif state.created < self.bounds.creates:
            number = state.created + 1
            opened = state._replace(open=(*state.open, Upload(number)), created=number)
            created = me._replace(phase="created", upload=number)
            yield "a worker creates an upload", self._become(opened, created)
        else:
            yield "a worker fails", self._failed(state)

    def _abort(self) -> Iterator[Step]:
        answered = self.me._replace(phase="answered")
        aborted = self._become(self.state.aborted(self.me.upload), answered)
        yield "a worker aborts what was begun", aborted

    def _keep(self) -> Iterator[Step]:
        state, me = self.state, self.me
        if not state.holds(me):
            late = self._become(state.aborted(me.upload), me._replace(phase="late"))
            yield "an upload cannot be kept", late
        else:
            kept = state._replace(kept=me.upload)
            yield "the upload id is kept", self._become(kept, me._replace(phase="sending"))

    def _send(self) -> Iterator[Step]:
        state, me = self.state, self.me
        upload = state.upload(me.upload)
        if upload is None:
            yield "the upload is gone", self._failed(state)
            return
        parts = list(upload.parts)
        missing = next((n for n in range(PARTS) if parts[n] != me.content), None)
        if missing is None:
            yield "all parts are there", self._become(state, me._replace(phase="sent"))
            return
        parts[missing] = me.content
        sent = upload._replace(parts=tuple(parts))
        opened = tuple(sent if each is upload else each for each in state.open)
        yield f"a worker sends part {missing} of {me.content}", state._replace(open=opened)

    def _complete(self) -> Iterator[Step]:
        # A worker can be frozen between its last look at the lease and this request.
        state, me = self.state, self.me
        completion = Completion(me.fence, me.content, me.replaces, me.upload)
        if not may_complete(state, completion, self.rules):
            yield "its parts are gone", self._failed(state)
            return
        if state.bucket == me.replaces or not self.rules.completes_conditionally:
            done = carried_out(state, completion)
            yield "S3 answers", self._become(done, me._replace(phase="answered"))
            yield "the answer is lost", self._failed(done)
        elif state.bucket == me.content:
            found = state.aborted(me.upload)
            yield "it is there already", self._become(found, me._replace(phase="answered"))
        else:
            yield "S3 refuses", self._become(state, me._replace(phase="refused"))
        if len(state.in_flight) < self.bounds.in_flight:
            late = state._replace(in_flight=(*state.in_flight, completion))
            yield "no answer in time", self._failed(late)

    def _look_again(self) -> Iterator[Step]:
        state, me = self.state, self.me
        if not state.holds(me):
            yield "the lease was lost", self._become(state, me._replace(phase="late"))
        else:
            again = me._replace(phase="sending", replaces=state.bucket)
            yield "a worker looks, renews, goes on", self._become(state, again)

    def _record(self) -> Iterator[Step]:
        state, me = self.state, self.me
        if state.holds(me) or not self.rules.checks_fence:
            late = state.late_record or not state.holds(me)
            after = state._replace(record=me.content, late_record=late).ended("done")
            yield f"a worker records {me.content}", self._become(after, Worker())
        else:
            yield "a worker is turned away", self._become(state, me._replace(phase="late"))

    def _failed(self, state: State) -> State:
        if not state.holds(self.me):
            return self._become(state, self.me._replace(phase="late"))
        last = state.attempts >= self.bounds.attempts
        return self._become(state.ended("quarantined" if last else "requested").doubted(), Worker())

    def _note(self) -> Iterator[Step]:
        state = self._become(self.state, Worker()).doubted()
        if state.transfer == "cancelled" and self.rules.aborts_cancelled:
            state = state.aborted(self.me.upload)
        is_replaced = state.record not in {0, state.bucket}
        repaired = state.asked() if is_replaced and not state.is_active else state
        yield "a late worker says so", repaired

    def _can_die(self) -> bool:
        if self.me.phase in {"idle", "dead"} or self.state.deaths >= self.bounds.deaths:
            return False
        # As in the model of a small object: nothing is heard of a late worker that dies.
        is_late = self.me.phase != "claimed" and not self.state.holds(self.me)
        return not is_late or (self.state.is_doubted and self.state.look is None)

    def _dead(self) -> State:
        state, me = self.state, self.me
        if me.phase == "sent":
            completion = Completion(me.fence, me.content, me.replaces, me.upload)
            state = state._replace(in_flight=(*state.in_flight, completion))
        return self._become(state, Worker("dead"))._replace(deaths=state.deaths + 1)
