"""The form of a new batch, and the preview that it makes."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.batches import BATCH_DIRECTIONS, BatchFilter
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.web.api.models.batches import NewBatch
from artifact_pipeline.worker.web.pages.fields import Choice, TextField
from artifact_pipeline.worker.web.pages.visit import Visit
from artifact_pipeline.worker.web.problems import invalid_input

_TEXTS = (
    TextField("job_ids", "Jobs", "1-100, 120"),
    TextField("run_ids", "Runs", "4, 7-9"),
    TextField("user_ids", "Users", "42"),
    TextField("tags", "Tags", "model=seir"),
)
_CHOICES = (
    Choice("directions", "Direction", BATCH_DIRECTIONS),
    Choice("kinds", "Kind", tuple(ArtifactKind)),
    Choice("states", "State of the last transfer", tuple(TransferState)),
    Choice("reasons", "Reason of its failure", tuple(ReasonCode)),
)
_RANGE = re.compile(r"(\d{1,10})(?:\s*-\s*(\d{1,10}))?")


async def new_batch_page(visit: Visit) -> Response:
    """Return the empty form, or one that a link has filled in."""
    return _form(visit, visit.query)


async def preview(visit: Visit) -> Response:
    """Freeze what fits, and lead to the snapshot."""
    try:
        new = NewBatch(filter=filter_of(visit.form))
        found = await visit.service.batches.preview(new, visit.user)
    except InvalidRequestError as error:
        return _form(visit, visit.form, str(error))
    if found.batch is None:
        left_out = ", ".join(f"{n:,} {why}" for why, n in found.left_out.items())
        why = f" ({left_out})" if left_out else ""
        return _form(visit, visit.form, f"Nothing fits the criteria{why}.")
    return visit.done(
        f"/batches/{found.batch.batch_id}",
        f"{found.members:,} members are frozen. Nothing is transferred before the start.",
    )


def filter_of(form: Mapping[str, str]) -> BatchFilter:
    """Return the filter of a form. Raises: InvalidRequestError."""
    given: dict[str, Any] = {
        "never_requested": bool(form.get("never_requested")),
        "job_ids": _ranges("Jobs", form.get("job_ids", "")),
        "run_ids": _ranges("Runs", form.get("run_ids", "")),
        "user_ids": _parts(form.get("user_ids", "")),
        "tags": _parts(form.get("tags", "")),
        **{choice.name: _parts(form.get(choice.name, "")) for choice in _CHOICES},
    }
    try:
        return BatchFilter.model_validate(given)
    except ValidationError as error:
        raise InvalidRequestError(str(invalid_input(error))) from None


def _parts(text: str) -> list[str]:
    return [part for part in map(str.strip, text.split(",")) if part]


def _ranges(label: str, text: str) -> list[dict[str, int]]:
    ranges = []
    for part in _parts(text):
        found = _RANGE.fullmatch(part)
        if found is None:
            raise InvalidRequestError(f"{label}: {part!r} is no id and no range such as 1-100")
        ranges.append({"first": int(found[1]), "last": int(found[2] or found[1])})
    return ranges


def _form(visit: Visit, form: Mapping[str, str], problem: str | None = None) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    names = (*(each.name for each in (*_TEXTS, *_CHOICES)), "never_requested")
    return visit.page(
        "batch_new.html",
        status,
        form={name: form.get(name, "") for name in names},
        text_fields=_TEXTS,
        choices=_CHOICES,
        problem=problem,
    )
