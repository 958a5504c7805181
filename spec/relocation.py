"""A relocation beside an upload: copy, record, and delete the old object when told to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

FOUND = "what SQL points to is in the bucket"
KEPT = "a relocation replaces nothing that was stored since"
AGREEMENT = "at rest, SQL records what the bucket holds under the key"


class State(NamedTuple):
    """A state of the model of relocations.

    Attributes: contents, 0 for none; `record` is of the key, and 0 while the old one counts.
    """

    old: int = 1
    new: int = 0
    record: int = 0
    phase: str = "requested"  # copying, copied, verifying, done, cancelled
    known: int = 0
    is_doubted: bool = False
    was_replaced: bool = False
    uploads: int = 0
    losses: int = 0


@dataclass(frozen=True, slots=True)
class Relocation:
    """The model of relocations.

    Attributes: each can be switched off.
    """

    copies_conditionally: bool = True
    records_what_was_known: bool = True
    deletes_after_record: bool = True
    verifies_cancelled: bool = True

    def first(self) -> State:
        return State()

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        yield from self._worker(state)
        if state.uploads < 1:
            yield "an upload stores 2", state._replace(new=2, record=2, uploads=1)
        if state.phase in {"requested", "copying", "copied"}:
            was_claimed = state.phase != "requested" or state.losses > 0
            is_doubted = self.verifies_cancelled and was_claimed
            cancelled = state._replace(phase="cancelled", is_doubted=is_doubted)
            yield "the operator cancels", cancelled
        if state.old and (state.record or not self.deletes_after_record):
            yield "the old object is deleted", state._replace(old=0)
        if state.is_doubted and state.phase == "cancelled":
            found = state._replace(record=state.new) if state.new else state
            yield "it is verified", found._replace(is_doubted=False)

    def _worker(self, state: State) -> Iterator[tuple[str, State]]:
        match state.phase:
            case "requested":
                yield "a worker claims", state._replace(phase="copying", known=state.record)
            case "copying" if not state.new or not self.copies_conditionally:
                copied = state._replace(
                    new=state.old or state.new, was_replaced=state.was_replaced or state.new > 1
                )
                yield "S3 copies", copied._replace(phase="copied")
                if state.losses < 1:
                    lost = copied._replace(losses=1, phase="requested")
                    yield "the answer is lost", lost
            case "copying":
                yield "it is there already", state._replace(phase="done", record=state.new)
            case "copied":
                same = state.record == state.known or not self.records_what_was_known
                record = 1 if same else state.record
                yield "a worker records", state._replace(phase="done", record=record)

    def broken(self, state: State) -> str | None:
        if not (state.new if state.record else state.old):
            return FOUND
        if state.was_replaced:
            return KEPT
        is_at_rest = state.phase in {"done", "cancelled"} and not state.is_doubted
        return AGREEMENT if is_at_rest and state.record != state.new else None

    def is_unfinished(self, state: State) -> bool:
        return state.phase not in {"done", "cancelled"} or state.is_doubted
