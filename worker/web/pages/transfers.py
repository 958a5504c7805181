"""Lists of transfers across jobs: what stands behind the figures of the overview."""

from dataclasses import replace

from starlette.responses import Response

from artifact_pipeline.domain.maintenance.pipeline_status import Phase
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.tasks.routing import OF_TRANSFERS, workspace_of_queue
from artifact_pipeline.worker.web.api.models.transfers import TransfersQuery
from artifact_pipeline.worker.web.errors import InvalidInputError
from artifact_pipeline.worker.web.pages.fields import Choice
from artifact_pipeline.worker.web.pages.visit import Visit

_CHOICES = (
    Choice("state", "State", tuple(TransferState)),
    Choice("phase", "Phase", tuple(Phase)),
    Choice("queue", "Queue", OF_TRANSFERS),
    Choice("kind", "Kind", tuple(ArtifactKind)),
    Choice("direction", "Direction", tuple(Direction)),
    Choice("reason", "Reason", tuple(ReasonCode)),
)
_CRITERIA = (*(each.name for each in _CHOICES), "requested_by", "ended_within", "active")


async def transfers_page(visit: Visit) -> Response:
    """Return the transfers that fit."""
    form = {name: visit.query.get(name, "") for name in _CRITERIA}
    choices = [_choice(each, form[each.name]) for each in _CHOICES]
    try:
        query = visit.asked(TransfersQuery)
    except InvalidInputError as error:
        return visit.page(
            "transfers.html", form=form, choices=choices, problem=str(error), page=None
        )
    page = await visit.service.transfers.page(query)
    return visit.page("transfers.html", form=form, choices=choices, problem=None, page=page)


def _choice(choice: Choice, chosen: str) -> Choice:
    """Return the choice; a workspace with a name has queues that are not among the options."""
    if choice.name != "queue" or not workspace_of_queue(chosen):
        return choice
    return replace(choice, options=(*choice.options, chosen))
