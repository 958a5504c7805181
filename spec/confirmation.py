"""A client's upload by a URL beside the uploads of workers: expect, confirm, verify.

Content 1 is the file of the workspace, 2 and more are what a client puts, in their order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from spec import confirming, uploading

FILE = 1

STORED = "what is recorded as stored was stored"
FENCED = "a late worker records nothing"
AGREEMENT = "at rest, SQL records what the bucket holds"
KEPT = "no repair replaces what a client has put"
NEVER_OLDER = "no look records an older object over a newer record"
SEEN = "no confirmation is given up although the client's object is there"

Step = tuple[str, "State"]


class Reader(NamedTuple):
    """A worker of a confirmation, between its look and its record. `fence` is of its claim."""

    fence: int
    known: int
    found: int
    is_new: bool


class Look(NamedTuple):
    """A verification between its look and its write.

    Attributes:
        is_of_client: whether it is one of the confirmation too, whose URL has expired.
    """

    record: int
    bucket: int
    upload: str
    number: int
    is_for_client: bool
    is_of_client: bool
    doubted_since: bool = False


class State(NamedTuple):
    """A state. `ever` to `lost_sight` only serve the promises, and budgets follow them.

    Attributes:
        confirm: the confirmation: none, expected, due, running, done, cancelled, quarantined.
        is_new: whether the object was put after the URL was given.
        upload: the worker's transfer: none, requested, sent, done, cancelled.
        number: of the upload, which tells two apart.
        is_for_client: whether a URL was given after the upload was requested.
        is_against_client: whether it is a repair that was requested though a client has a URL.
        late: a worker that was overtaken and has not noticed.
    """

    bucket: int = 0
    record: int = 0
    confirm: str = "none"
    fence: int = 0
    is_leased: bool = False
    readers: tuple[Reader, ...] = ()
    has_url: bool = False
    is_new: bool = False
    upload: str = "none"
    number: int = 0
    is_for_client: bool = False
    is_against_client: bool = False
    late: bool = False
    confirm_doubted: bool = False
    upload_doubted: bool = False
    look: Look | None = None
    ever: frozenset[int] = frozenset({0})
    late_record: bool = False
    lost: bool = False
    older: bool = False
    lost_sight: bool = False
    urls: int = 0
    puts: int = 0
    asks: int = 0
    cancels: int = 0
    deaths: int = 0
    overtaken: int = 0

    @property
    def confirms(self) -> bool:
        return self.confirm in {"expected", "due", "running"}

    @property
    def uploads(self) -> bool:
        return self.upload in {"requested", "sent"}

    @property
    def is_active(self) -> bool:
        return self.confirms or self.uploads

    @property
    def is_doubted(self) -> bool:
        return self.confirm_doubted or self.upload_doubted

    def doubted(self, *, upload: bool) -> "State":
        look = None if self.look is None else self.look._replace(doubted_since=True)
        return self._replace(
            look=look,
            upload_doubted=self.upload_doubted or upload,
            confirm_doubted=self.confirm_doubted or not upload,
        )

    def put(self, content: int) -> "State":
        return self._replace(bucket=content, is_new=True, ever=self.ever | {content})

    def asked(self, *, is_against_client: bool = False) -> "State":
        number = self.number + 1
        return self._replace(
            upload="requested",
            number=number,
            is_for_client=False,
            is_against_client=is_against_client,
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """Each can be switched off."""

    checks_fence: bool = True
    records_what_was_known: bool = True
    verifies_cancelled: bool = True
    verifies_confirmed: bool = True
    waits_for_urls: bool = True
    spares_clients: bool = True
    late_uploads_spare_clients: bool = True
    looks_once_more: bool = True
    keeps_doubts_until_repaired: bool = True


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much happens at most."""

    urls: int = 2
    puts: int = 2
    asks: int = 1
    cancels: int = 1
    deaths: int = 1
    overtaken: int = 1


@dataclass(frozen=True, slots=True)
class Confirmation:
    rules: Rules = Rules()
    bounds: Bounds = Bounds()

    def first(self) -> State:
        return State()

    def steps(self, state: State) -> Iterator[Step]:
        for step, after in (
            *confirming.steps(state, self.rules, self.bounds),
            *uploading.steps(state, self.rules, self.bounds),
        ):
            yield step, _canonical(after)

    def broken(self, state: State) -> str | None:
        is_at_rest = not (state.is_active or state.is_doubted or state.readers or state.late)
        is_settled = is_at_rest and state.look is None
        holds = {
            STORED: state.record in state.ever,
            FENCED: not state.late_record,
            KEPT: not state.lost,
            NEVER_OLDER: not state.older,
            SEEN: not state.lost_sight,
            AGREEMENT: not is_settled or state.record == state.bucket,
        }
        return next((promise for promise, is_kept in holds.items() if not is_kept), None)

    def is_unfinished(self, state: State) -> bool:
        return state.is_active or state.is_doubted


def _canonical(state: State) -> State:
    """Return the state that stands for all that differ only in the names of fences."""
    fences = sorted({state.fence, *(reader.fence for reader in state.readers)})
    rank = {fence: n for n, fence in enumerate(fences)}
    readers = sorted(each._replace(fence=rank[each.fence]) for each in state.readers)
    return state._replace(fence=rank[state.fence], readers=tuple(readers))
