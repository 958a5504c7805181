"""A multipart upload: create, send parts, take over, complete under a condition, abort, verify.

Contents are numbers. The file has two parts, and a part is known by its content. Completion can
be carried out later than its sender waits for it, or never.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

PARTS = 2
MIXED = 9
"""An object whose parts come from two versions of the file."""

STORED = "what is recorded as stored was stored"
AGREEMENT = "at rest, SQL records what the bucket holds"
FENCED = "a late worker records nothing"
NOT_OVERWRITTEN = "a late worker replaces nothing but what it had seen"
NO_PARTS = "no parts are left for ever"
NEVER_OLDER = "no look records an older object over a newer record"

Step = tuple[str, "State"]


class Upload(NamedTuple):
    """A multipart upload that S3 has open, with the contents of its parts; 0 for none."""

    number: int
    parts: tuple[int, ...] = (0,) * PARTS


class Worker(NamedTuple):
    """A worker process.

    Attributes:
        phase: idle, claimed, unchanged, created, sending, sent, answered, refused, late or dead.
        content: of the file, as it reads it.
        replaces: the content that its completion may replace; 0 if there must be none.
        upload: the number of its multipart upload; 0 for none.
    """

    phase: str = "idle"
    fence: int = 0
    content: int = 0
    replaces: int = 0
    upload: int = 0


class Completion(NamedTuple):
    """A CompleteMultipartUpload whose sender does not wait for the answer any more."""

    fence: int
    content: int
    replaces: int
    upload: int


class Look(NamedTuple):
    """A verification, or the confirmation that reads for it, before its write."""

    record: int
    bucket: int
    was_done: bool
    claims: int
    doubted_since: bool = False


class State(NamedTuple):
    """A state. `ever` to `stale` only serve the promises, and what follows them are budgets.

    Attributes:
        kept: the upload id in SQL; 0 for none.
        created: how many uploads there were.
        reading: a confirmation that reads the object for the verification.
    """

    file: int = 1
    bucket: int = 0
    record: int = 0
    transfer: str = "none"  # requested, running, done, cancelled, quarantined
    fence: int = 0
    is_leased: bool = False
    attempts: int = 0
    kept: int = 0
    open: tuple[Upload, ...] = ()
    created: int = 0
    is_doubted: bool = False
    look: Look | None = None
    reading: Look | None = None
    in_flight: tuple[Completion, ...] = ()
    workers: tuple[Worker, ...] = ()
    ever: frozenset[int] = frozenset({0})
    late_record: bool = False
    overwrote: bool = False
    stale: bool = False
    asks: int = 0
    edits: int = 0
    deaths: int = 0
    cancels: int = 0

    @property
    def is_active(self) -> bool:
        return self.transfer in {"requested", "running"}

    def holds(self, worker: Worker) -> bool:
        return self.transfer == "running" and self.fence == worker.fence

    def upload(self, number: int) -> Upload | None:
        return next((each for each in self.open if each.number == number), None)

    def aborted(self, number: int) -> "State":
        return self._replace(open=tuple(each for each in self.open if each.number != number))

    def doubted(self) -> "State":
        look = None if self.look is None else self.look._replace(doubted_since=True)
        return self._replace(is_doubted=True, look=look)

    def asked(self) -> "State":
        return self._replace(transfer="requested", attempts=0, kept=0)

    def ended(self, how: str) -> "State":
        kept = 0 if how == "done" else self.kept
        return self._replace(transfer=how, is_leased=False, kept=kept)


@dataclass(frozen=True, slots=True)
class Rules:
    """Each can be switched off."""

    checks_fence: bool = True
    checks_parts: bool = True
    completes_conditionally: bool = True
    verifies_cancelled: bool = True
    verifies_taken_over: bool = True
    aborts_cancelled: bool = True
    aborts_unknown: bool = True
    waits_for_late_completions: bool = True
    records_what_was_known: bool = True


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much happens at most."""

    workers: int = 2
    asks: int = 1
    edits: int = 1
    deaths: int = 1
    cancels: int = 1
    in_flight: int = 1
    attempts: int = 2
    creates: int = 2


@dataclass(frozen=True, slots=True)
class Multipart:
    """The model of multipart uploads.

    Attributes: `has_stored` begins with content 1 recorded, and a file that is 2 since.
    """

    rules: Rules = Rules()
    bounds: Bounds = Bounds()
    has_stored: bool = False

    def first(self) -> State:
        first = State(workers=(Worker(),) * self.bounds.workers)
        if not self.has_stored:
            return first
        stored = first._replace(file=2, bucket=1, record=1, ever=frozenset({0, 1}))
        return stored._replace(transfer="done")

    def steps(self, state: State) -> Iterator[Step]:
        from spec import multipart_upkeep, multipart_worker  # noqa: PLC0415 - they name the State

        for module in (multipart_upkeep, multipart_worker):
            for step, after in module.steps(state, self.rules, self.bounds):
                yield step, _canonical(after)

    def broken(self, state: State) -> str | None:
        is_quiet = all(each.phase in {"idle", "dead"} for each in state.workers)
        is_owed = state.is_active or state.is_doubted or state.reading or state.in_flight
        is_at_rest = is_quiet and not is_owed and state.look is None
        holds = {
            STORED: state.record in state.ever,
            FENCED: not state.late_record,
            NOT_OVERWRITTEN: not state.overwrote,
            NEVER_OLDER: not state.stale,
            AGREEMENT: not is_at_rest or state.record == state.bucket,
            NO_PARTS: not is_at_rest or not state.open or may_abort(state, self.rules),
        }
        return next((promise for promise, is_kept in holds.items() if not is_kept), None)

    def is_unfinished(self, state: State) -> bool:
        return bool(state.is_active or state.is_doubted or state.reading or state.open)


def may_abort(state: State, rules: Rules) -> bool:
    """Return whether the reconcile may abort one of the open uploads."""
    return any(is_abandoned(state, each, rules) for each in state.open)


def is_abandoned(state: State, upload: Upload, rules: Rules) -> bool:
    if upload.number != state.kept:
        return rules.aborts_unknown  # after a while, in which a worker can still note it
    return not state.is_active and rules.aborts_cancelled


def carried_out(state: State, completion: Completion) -> State:
    """Return the state after the object has appeared."""
    upload = state.upload(completion.upload)
    contents = set(upload.parts) if upload is not None else set()
    content = contents.pop() if len(contents) == 1 else MIXED
    is_late = state.transfer != "running" or state.fence != completion.fence
    overwrote = is_late and state.bucket not in {completion.replaces, content}
    after = state.aborted(completion.upload)
    return after._replace(
        bucket=content,
        ever=state.ever | {content},
        overwrote=state.overwrote or overwrote,
    )


def may_complete(state: State, completion: Completion, rules: Rules) -> bool:
    """Return whether S3 has the parts, as the request names them."""
    upload = state.upload(completion.upload)
    if upload is None or 0 in upload.parts:
        return False
    return set(upload.parts) == {completion.content} or not rules.checks_parts


def _canonical(state: State) -> State:
    """Return the state that stands for all that differ only in names: of workers and fences."""
    seen = {0, state.fence, *(each.fence for each in state.workers + state.in_flight)}
    looks = {each.claims for each in (state.look, state.reading) if each is not None}
    rank = {fence: n for n, fence in enumerate(sorted(seen | looks))}
    workers = sorted(each._replace(fence=rank[each.fence]) for each in state.workers)
    late = sorted(each._replace(fence=rank[each.fence]) for each in state.in_flight)
    look, reading = (
        None if each is None else each._replace(claims=rank[each.claims])
        for each in (state.look, state.reading)
    )
    return state._replace(
        fence=rank[state.fence],
        workers=tuple(workers),
        in_flight=tuple(late),
        look=look,
        reading=reading,
    )
