"""The models, bounded and whole, and the mutations that must be caught."""

from dataclasses import replace
from typing import Any, TypeVar

from spec.batches import Batches
from spec.confirmation import Bounds as ConfirmationBounds
from spec.confirmation import Confirmation
from spec.multipart import Bounds as MultipartBounds
from spec.multipart import Multipart
from spec.pages import Pages
from spec.relocation import Relocation
from spec.search import Model
from spec.single_put import Bounds, SinglePut

_Ruled = TypeVar("_Ruled", SinglePut, Multipart, Confirmation)

_FEW = Bounds(asks=1, deaths=0)
_LAST_ATTEMPT = Bounds(attempts=1, deaths=0, cancels=0)


_TO_AND_FRO = Bounds(workers=1, asks=4, deaths=0, cancels=2, in_flight=0)
_IN_PARTS = Multipart(bounds=MultipartBounds(deaths=0))
_IN_PARTS_TWICE = Multipart(bounds=MultipartBounds(asks=2, deaths=0))
_IN_PARTS_KILLED = Multipart(bounds=MultipartBounds(workers=1, edits=0))
_IN_PARTS_TAKEN_OVER = Multipart(bounds=MultipartBounds(cancels=0), has_stored=True)
_IN_PARTS_ALONE = Multipart(bounds=MultipartBounds(workers=1, asks=2, deaths=0, in_flight=0))
_CLIENT = Confirmation(bounds=ConfirmationBounds(urls=1, deaths=0, overtaken=0))
_TWO_URLS = Confirmation(bounds=ConfirmationBounds(deaths=0))
_CLIENT_AND_LATE = Confirmation(bounds=ConfirmationBounds(urls=1, puts=1, deaths=0))


def _without(model: _Ruled, rule: str) -> _Ruled:
    return replace(model, rules=replace(model.rules, **{rule: False}))


_OTHERS: dict[str, Model[Any]] = {
    "a relocation": Relocation(),
    "a batch": Batches(),
    "pages of uploads": Pages(shutdowns=0),
}
BOUNDED: dict[str, Model[Any]] = {
    "a small object, its last attempt": SinglePut(bounds=_LAST_ATTEMPT),
    "a small object, killed once": SinglePut(bounds=Bounds(asks=1, edits=0)),
    "an upload in parts": _IN_PARTS,
    "an upload in parts, taken over": _IN_PARTS_TAKEN_OVER,
    "a client's upload": _CLIENT,
    "a client's upload, a late worker": _CLIENT_AND_LATE,
    **_OTHERS,
}
WHOLE: dict[str, Model[Any]] = {
    **BOUNDED,
    "pages of uploads, given back": Pages(),
    "a small object, asked for twice and killed": SinglePut(bounds=Bounds(edits=0)),
    "a small object, changed and killed": SinglePut(bounds=Bounds(asks=1, cancels=0)),
    "a small object, changed, asked for twice and killed": SinglePut(
        bounds=Bounds(cancels=0, in_flight=0)
    ),
    "a small object, to and fro": SinglePut(bounds=_TO_AND_FRO),
    "an upload in parts, alone": _IN_PARTS_ALONE,
    "an upload in parts, killed": Multipart(),
    "an upload in parts, asked for twice": _IN_PARTS_TWICE,
    "a client's upload, killed": Confirmation(bounds=ConfirmationBounds(urls=1)),
    "a client's upload, two URLs": _TWO_URLS,
    "a small object, asked for twice and cancelled": SinglePut(bounds=Bounds(deaths=0)),
    "a small object, changed, killed, cancelled and late": SinglePut(bounds=Bounds(asks=1)),
}
LARGEST: dict[str, Model[Any]] = {
    "a small object, all of it, asked for twice": SinglePut(),
}
"""Takes longer than all the others together, so it is explored only when asked for."""
MUTATIONS: dict[str, Model[Any]] = {
    **{
        rule: _without(SinglePut(), rule)
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
    "verifies_quarantined": _without(SinglePut(bounds=_LAST_ATTEMPT), "verifies_quarantined"),
    "keeps_doubts_until_repaired": _without(SinglePut(bounds=_FEW), "keeps_doubts_until_repaired"),
    "looks_again_after_recording": _without(
        SinglePut(bounds=_TO_AND_FRO), "looks_again_after_recording"
    ),
    **{
        f"multipart.{rule}": _without(_IN_PARTS_TWICE, rule)
        for rule in (
            "checks_fence",
            "checks_parts",
            "completes_conditionally",
            "aborts_cancelled",
            "aborts_unknown",
            "waits_for_late_completions",
        )
    },
    "multipart.verifies_cancelled": _without(_IN_PARTS_KILLED, "verifies_cancelled"),
    "multipart.verifies_taken_over": _without(_IN_PARTS_TAKEN_OVER, "verifies_taken_over"),
    "multipart.records_what_was_known": _without(_IN_PARTS_ALONE, "records_what_was_known"),
    **{
        f"confirmation.{rule}": _without(_CLIENT, rule)
        for rule in (
            "checks_fence",
            "records_what_was_known",
            "verifies_cancelled",
            "verifies_confirmed",
            "waits_for_urls",
            "looks_once_more",
            "keeps_doubts_until_repaired",
        )
    },
    **{
        f"confirmation.{rule}": _without(_TWO_URLS, rule)
        for rule in ("spares_clients", "late_uploads_spare_clients")
    },
    "relocation.copies_conditionally": Relocation(copies_conditionally=False),
    "relocation.records_what_was_known": Relocation(records_what_was_known=False),
    "relocation.deletes_after_record": Relocation(deletes_after_record=False),
    "relocation.verifies_cancelled": Relocation(verifies_cancelled=False),
    "pages.pages_untried_only": Pages(pages_untried_only=False),
    "pages.checks_each_fence": Pages(checks_each_fence=False),
    "pages.records_what_was_put": Pages(records_what_was_put=False),
    "pages.records_the_others": Pages(records_the_others=False),
    "pages.undoes_what_changed": Pages(undoes_what_changed=False),
    "batches.is_atomic": Batches(is_atomic=False),
    "batches.publishes_after_commit": Batches(publishes_after_commit=False),
}
"""Each has one rule less."""
