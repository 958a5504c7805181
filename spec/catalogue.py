"""The models, bounded and whole, and the mutations that must be caught."""

from dataclasses import replace
from typing import Any

from spec.batches import Batches
from spec.relocation import Relocation
from spec.search import Model
from spec.single_put import Bounds, Rules, SinglePut

_FEW = Bounds(asks=1, deaths=0)
_LAST_ATTEMPT = Bounds(attempts=1, deaths=0, cancels=0)


def _without(rule: str, bounds: Bounds) -> SinglePut:
    return SinglePut(rules=replace(Rules(), **{rule: False}), bounds=bounds)


_OTHERS: dict[str, Model[Any]] = {"a relocation": Relocation(), "a batch": Batches()}
BOUNDED: dict[str, Model[Any]] = {
    "a small object, its last attempt": SinglePut(bounds=_LAST_ATTEMPT),
    "a small object, killed once": SinglePut(bounds=Bounds(asks=1, edits=0)),
    **_OTHERS,
}
WHOLE: dict[str, Model[Any]] = {
    **BOUNDED,
    "a small object, cancelled once": SinglePut(bounds=Bounds(deaths=0)),
    "a small object": SinglePut(),
}
MUTATIONS: dict[str, Model[Any]] = {
    **{
        rule: _without(rule, Bounds())
        for rule in (
            "checks_fence",
            "raises_fence",
            "records_after_put",
            "puts_conditionally",
            "resends_messages",
            "verifies_cancelled",
            "notes_late_writes",
            "waits_for_late_puts",
            "keeps_later_doubts",
        )
    },
    "verifies_quarantined": _without("verifies_quarantined", _LAST_ATTEMPT),
    "keeps_doubts_until_repaired": _without("keeps_doubts_until_repaired", _FEW),
    "relocation.copies_conditionally": Relocation(copies_conditionally=False),
    "relocation.records_what_was_known": Relocation(records_what_was_known=False),
    "relocation.deletes_after_record": Relocation(deletes_after_record=False),
    "relocation.verifies_cancelled": Relocation(verifies_cancelled=False),
    "batches.is_atomic": Batches(is_atomic=False),
    "batches.publishes_after_commit": Batches(publishes_after_commit=False),
}
"""Each has one rule less."""
