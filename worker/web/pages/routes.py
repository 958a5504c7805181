"""The routes of all pages."""

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from artifact_pipeline.worker.web.errors import UnknownPathError
from artifact_pipeline.worker.web.pages import batches
from artifact_pipeline.worker.web.pages.artifacts import (
    artifact_page,
    download,
    member_page,
    member_picture,
)
from artifact_pipeline.worker.web.pages.batches import batch_page, batches_page
from artifact_pipeline.worker.web.pages.jobs import job_page, jobs_page
from artifact_pipeline.worker.web.pages.new_batch import new_batch_page, preview
from artifact_pipeline.worker.web.pages.overview import overview_changes, overview_page
from artifact_pipeline.worker.web.pages.page import Action, Page, problem_page
from artifact_pipeline.worker.web.pages.quarantine import (
    discard,
    discard_form,
    group_page,
    quarantine_page,
    retry,
    retry_form,
)
from artifact_pipeline.worker.web.pages.system import (
    history_page,
    job_history_page,
    system_page,
)
from artifact_pipeline.worker.web.pages.templates import STATIC, compile_all
from artifact_pipeline.worker.web.pages.transfers import transfers_page
from artifact_pipeline.worker.web.pages.visit import visit_of

PAGES = (
    Page("/", overview_page),
    Page("/changes", overview_changes),
    Page("/transfers", transfers_page),
    Page("/jobs", jobs_page),
    Page("/jobs/{job_id}", job_page),
    Page("/jobs/{job_id}/history", job_history_page),
    Page("/jobs/{job_id}/artifacts/{kind}", artifact_page),
    Page("/jobs/{job_id}/artifacts/{kind}/download", download),
    Page("/jobs/{job_id}/artifacts/{kind}/member", member_page),
    Page("/jobs/{job_id}/artifacts/{kind}/member/picture", member_picture),
    Page("/batches", batches_page),
    Page("/batches/new", new_batch_page),
    Page("/batches/{batch_id}", batch_page),
    Page("/quarantine", quarantine_page),
    Page("/quarantine/{group}", group_page),
    Page("/quarantine/{group}/retry", retry_form),
    Page("/quarantine/{group}/discard", discard_form),
    Page("/system", system_page),
    Page("/history", history_page),
)
ACTIONS = (
    Action("/batches", preview),
    Action("/batches/{batch_id}/start", batches.start),
    Action("/batches/{batch_id}/pause", batches.pause),
    Action("/batches/{batch_id}/resume", batches.resume),
    Action("/batches/{batch_id}/change", batches.change),
    Action("/batches/{batch_id}/cancel", batches.cancel),
    Action("/quarantine/{group}/retry", retry),
    Action("/quarantine/{group}/discard", discard),
)
_SERVED = {
    path.name: path for path in sorted(STATIC.iterdir()) if path.suffix in {".css", ".js", ".svg"}
}
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}


def page_routes() -> list[BaseRoute]:
    """Return a route for each page, for each form and for the static files."""
    compile_all()
    return [
        *(page.route() for page in PAGES),
        *(action.route() for action in ACTIONS),
        Route("/static/{name}", _static, methods=["GET"]),
        # After all others.
        Route("/{rest:path}", _unknown),
    ]


async def _static(request: Request) -> Response:
    path = _SERVED.get(request.path_params["name"])
    if path is None:
        return await _unknown(request)
    # Pages ask for a file with its version, so it never changes under one address.
    return FileResponse(path, headers=_FOREVER if request.query_params else None)


async def _unknown(request: Request) -> Response:
    return problem_page(visit_of(request), UnknownPathError())
