"""The quarantine by its groups, and the retry or the discard of a group."""

from http import HTTPStatus

from starlette.responses import Response

from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.web.api.models.quarantine import (
    QuarantineAction,
    QuarantineOutcome,
    QuarantineQuery,
    SelectionQuery,
)
from artifact_pipeline.worker.web.errors import ChangedError
from artifact_pipeline.worker.web.pages.visit import Visit

RETRY, DISCARD = "retry", "discard"


async def quarantine_page(visit: Visit) -> Response:
    """Return all groups."""
    return visit.page("quarantine.html", quarantine=await visit.service.quarantine.groups())


async def group_page(visit: Visit) -> Response:
    """Return the transfers of a group."""
    group = _group(visit)
    query = visit.asked(QuarantineQuery, reason=group)
    page = await visit.service.quarantine.page(query)
    now = (await visit.service.quarantine.groups()).at
    return visit.page("quarantine_list.html", group=group, page=page, now=now)


async def retry_form(visit: Visit) -> Response:
    """Show how many transfers a retry is about."""
    return await _form(visit, RETRY)


async def discard_form(visit: Visit) -> Response:
    """Show how many transfers a discard is about."""
    return await _form(visit, DISCARD)


async def retry(visit: Visit) -> Response:
    """Have the transfers that were shown tried again."""
    action = visit.sent(QuarantineAction)
    try:
        outcome = await visit.service.quarantine.retry(action, visit.user)
    except ChangedError as error:
        return await _form(visit, RETRY, str(error))
    left = f", {outcome.superseded:,} are left" if outcome.superseded else ""
    return visit.done("/quarantine", _said(outcome, f"are tried again{left}"))


async def discard(visit: Visit) -> Response:
    """Cancel the transfers that were shown."""
    action = visit.sent(QuarantineAction)
    try:
        outcome = await visit.service.quarantine.discard(action, visit.user)
    except ChangedError as error:
        return await _form(visit, DISCARD, str(error))
    return visit.done("/quarantine", _said(outcome, "are discarded"))


async def _form(visit: Visit, action: str, problem: str | None = None) -> Response:
    group = _group(visit)
    selection = await visit.service.quarantine.selection(SelectionQuery(reason=group), visit.user)
    status = HTTPStatus.CONFLICT if problem else HTTPStatus.OK
    return visit.page(
        "quarantine_action.html",
        status,
        group=group,
        action=action,
        selection=selection,
        problem=problem,
    )


def _group(visit: Visit) -> ReasonCode:
    return ReasonCode(str(visit.path["group"]))


def _said(outcome: QuarantineOutcome, done: str) -> str:
    if outcome.is_running:
        return f"This takes longer, and continues: the history shows its end ({_id(outcome)})."
    return f"{outcome.changed:,} {done} ({_id(outcome)})."


def _id(outcome: QuarantineOutcome) -> str:
    return f"action {outcome.action_id}"
