"""The deployment, and what was done."""

from dataclasses import fields

from starlette.responses import Response

from artifact_pipeline.tasks.dead_letters import DeadLetter
from artifact_pipeline.worker.web.api.models.system import HistoryQuery, TrailQuery
from artifact_pipeline.worker.web.pages.formats import NONE, moment
from artifact_pipeline.worker.web.pages.visit import Visit

_COLUMNS = tuple(each.name for each in fields(DeadLetter))


async def system_page(visit: Visit) -> Response:
    """Return findings, workers, leases, refused messages and settings."""
    system = await visit.service.system.get()
    letters = [_cells(each) for each in system.dead_letters or ()]
    return visit.page("system.html", system=system, letter_columns=_COLUMNS, letters=letters)


async def history_page(visit: Visit) -> Response:
    """Return what operators did."""
    trail = await visit.service.trails.page(visit.asked(TrailQuery))
    return visit.page(
        "history.html", job_id=None, entries=trail.entries, next=trail.next, is_cut=False
    )


async def job_history_page(visit: Visit) -> Response:
    """Return what was done with a job's artifacts."""
    history = await visit.service.trails.of_job(visit.job_id, visit.asked(HistoryQuery))
    return visit.page(
        "history.html",
        job_id=history.job_id,
        entries=history.entries,
        next=None,
        is_cut=history.is_cut,
    )


def _cells(letter: DeadLetter) -> list[str]:
    values = (getattr(letter, name) for name in _COLUMNS)
    return [
        NONE if value is None else moment(value) if hasattr(value, "tzinfo") else str(value)
        for value in values
    ]
