"""Pages of uploads: several claims and one record, beside an upload that kills its worker."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

POISON = 0
"""The upload that kills its worker, whenever one begins it."""
UPLOADS = 3
ATTEMPTS = 2
WORKERS = 2

STORED = "what is recorded as stored was stored"
FENCED = "a late worker records nothing"
ISOLATED = "an upload that kills its worker makes each other one lose one attempt at most"
RECORDED = "what a page has stored is recorded if its claim holds"

Step = tuple[str, "State"]


class Upload(NamedTuple):
    """One upload of the model.

    Attributes: `lost` counts attempts that ended with a worker that the poison killed.
    """

    state: str = "due"  # running, done, cancelled, quarantined
    fence: int = 0
    attempts: int = 0
    is_leased: bool = False
    lost: int = 0

    @property
    def is_active(self) -> bool:
        return self.state in {"due", "running"}

    @property
    def is_claimable(self) -> bool:
        return self.state == "due" or (self.state == "running" and not self.is_leased)

    @property
    def is_untried(self) -> bool:
        return self.state == "due" and not self.attempts


class Worker(NamedTuple):
    """A worker and its page.

    Attributes:
        page: the uploads that it has claimed, with the fences.
        put: the uploads of the page that are in the bucket.
        seen: those that its record has found held, and is about to write; None between records.
    """

    page: tuple[tuple[int, int], ...] = ()
    put: frozenset[int] = frozenset()
    seen: frozenset[int] | None = None


class State(NamedTuple):
    """A state of the model of pages.

    Attributes: `stored` is in the bucket; the last three break a promise.
    """

    uploads: tuple[Upload, ...] = (Upload(),) * UPLOADS
    workers: tuple[Worker, ...] = (Worker(),) * WORKERS
    stored: frozenset[int] = frozenset()
    expiries: int = 0
    cancels: int = 0
    shutdowns: int = 0
    unstored: bool = False
    late_record: bool = False
    forgotten: bool = False

    def holds(self, upload: int, fence: int) -> bool:
        row = self.uploads[upload]
        return row.state == "running" and row.fence == fence

    def held(self, worker: Worker) -> frozenset[int]:
        return frozenset(upload for upload, fence in worker.page if self.holds(upload, fence))

    def changed(self, upload: int, row: Upload) -> "State":
        uploads = (*self.uploads[:upload], row, *self.uploads[upload + 1 :])
        return self._replace(uploads=uploads)

    def become(self, number: int, worker: Worker) -> "State":
        # The workers are alike, so their order tells nothing.
        others = [each for index, each in enumerate(self.workers) if index != number]
        return self._replace(workers=tuple(sorted([*others, worker], key=repr)))


@dataclass(frozen=True, slots=True)
class Pages:
    """The model of pages.

    Attributes: the rules, each of which can be switched off, and how much happens at most.
    """

    pages_untried_only: bool = True
    checks_each_fence: bool = True
    records_what_was_put: bool = True
    records_the_others: bool = True
    undoes_what_changed: bool = True
    expiries: int = 1
    cancels: int = 1
    shutdowns: int = 1

    def first(self) -> State:
        return State()

    def steps(self, state: State) -> Iterator[Step]:
        for number, worker in enumerate(state.workers):
            if not worker.page:
                yield from self._claims(state, number)
            elif worker.seen is None:
                yield from self._work(state, number, worker)
            else:
                yield "the record ends", self._recorded(state, number, worker)
        yield from self._outside(state)

    def _claims(self, state: State, number: int) -> Iterator[Step]:
        alone = [i for i, row in enumerate(state.uploads) if row.is_claimable]
        together = [i for i in alone if state.uploads[i].is_untried or not self.pages_untried_only]
        if together:
            yield "a worker claims a page", _claimed(state, number, together)
        for upload in alone:
            if state.uploads[upload].attempts >= ATTEMPTS:
                row = state.uploads[upload]._replace(state="quarantined", is_leased=False)
                yield f"{upload} is quarantined", state.changed(upload, row)
            elif not state.uploads[upload].is_untried:
                yield f"a worker claims {upload} alone", _claimed(state, number, [upload])

    def _work(self, state: State, number: int, worker: Worker) -> Iterator[Step]:
        page = frozenset(upload for upload, _ in worker.page)
        for upload in page - worker.put:
            if upload == POISON:
                yield "the poison kills its worker", _killed(state, number, worker)
                continue
            put = state._replace(stored=state.stored | {upload})
            after = worker._replace(put=worker.put | {upload})
            yield f"a worker puts {upload}", put.become(number, after)
        sent = worker.put if self.records_what_was_put else page
        if sent:
            seen = sent & state.held(worker) if self.checks_each_fence else sent
            yield "a record begins", state.become(number, worker._replace(seen=seen))
        if not worker.put and state.shutdowns < self.shutdowns:
            back = _given_back(state, number, worker)
            yield "a worker gives its page back", back._replace(shutdowns=state.shutdowns + 1)

    def _recorded(self, state: State, number: int, worker: Worker) -> State:
        seen = worker.seen or frozenset()
        held = state.held(worker)
        written = seen & held if self.checks_each_fence and self.undoes_what_changed else seen
        if not self.records_the_others and written != worker.put:
            written = frozenset()
        after = state._replace(
            late_record=state.late_record or not written <= held,
            unstored=state.unstored or not written <= state.stored,
            forgotten=state.forgotten or bool(worker.put & held - written),
        )
        for upload in written & held:
            row = after.uploads[upload]._replace(state="done", is_leased=False)
            after = after.changed(upload, row)
        page = tuple(each for each in worker.page if each[0] not in worker.put | written)
        return after.become(number, Worker(page))

    def _outside(self, state: State) -> Iterator[Step]:
        held = frozenset[int]().union(*map(state.held, state.workers))
        for upload, row in enumerate(state.uploads):
            is_lost = upload not in held
            if row.is_leased and (is_lost or state.expiries < self.expiries):
                after = state.changed(upload, row._replace(is_leased=False))
                expiries = state.expiries + (not is_lost)
                yield f"the lease of {upload} runs out", after._replace(expiries=expiries)
            if row.is_active and state.cancels < self.cancels:
                after = state.changed(upload, row._replace(state="cancelled", is_leased=False))
                yield f"{upload} is cancelled", after._replace(cancels=state.cancels + 1)

    def broken(self, state: State) -> str | None:
        holds = {
            STORED: not state.unstored,
            FENCED: not state.late_record,
            ISOLATED: all(row.lost <= 1 for row in state.uploads[POISON + 1 :]),
            RECORDED: not state.forgotten,
        }
        return next((promise for promise, is_kept in holds.items() if not is_kept), None)

    def is_unfinished(self, state: State) -> bool:
        return any(row.is_active for row in state.uploads)


def _claimed(state: State, number: int, page: list[int]) -> State:
    claims = []
    for upload in page:
        row = state.uploads[upload]
        fence = row.fence + 1
        running = row._replace(
            state="running", fence=fence, attempts=row.attempts + 1, is_leased=True
        )
        state = state.changed(upload, running)
        claims.append((upload, fence))
    return state.become(number, Worker(tuple(claims)))


def _killed(state: State, number: int, worker: Worker) -> State:
    for upload in state.held(worker):
        row = state.uploads[upload]
        state = state.changed(upload, row._replace(lost=row.lost + 1))
    return state.become(number, Worker())


def _given_back(state: State, number: int, worker: Worker) -> State:
    for upload in state.held(worker):
        row = state.uploads[upload]
        due = row._replace(
            state="due", fence=row.fence + 1, attempts=row.attempts - 1, is_leased=False
        )
        state = state.changed(upload, due)
    return state.become(number, Worker())
