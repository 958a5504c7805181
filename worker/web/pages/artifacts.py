"""An artifact's content, what is in a zip, a member of it, and the ways to download them."""

from http import HTTPStatus
from itertools import chain
from typing import Any

from starlette.responses import RedirectResponse, Response, StreamingResponse

from artifact_pipeline.domain.errors import InvalidRequestError, PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.keys import file_name
from artifact_pipeline.worker.web.access.headers import CONTENT_HEADERS
from artifact_pipeline.worker.web.api.models.content import (
    MAX_PREVIEW,
    ArtifactQuery,
    MemberQuery,
    Members,
    MembersQuery,
    Preview,
)
from artifact_pipeline.worker.web.api.routes import ROOT
from artifact_pipeline.worker.web.pages.previews.preview import IMAGE_BYTES, image_type, shown
from artifact_pipeline.worker.web.pages.visit import Visit
from artifact_pipeline.worker.web.problems import problem_of


async def artifact_page(visit: Visit) -> Response:
    """Return the page of an artifact: its beginning, or what is in the zip."""
    query = visit.asked(MembersQuery)
    artifact = Artifact(visit.kind, visit.job_id, query.run_id)
    values: dict[str, Any] = {
        "job_id": visit.job_id,
        "artifact": artifact,
        "run_id": query.run_id,
        "name": file_name(artifact),
        "member": None,
        "contains": query.contains,
        "download": visit.links.download(artifact),
        "raw": None,
    }
    preview: Preview | None = None
    members: Members | None = None
    try:
        if artifact.kind.is_zip:
            members = await visit.service.contents.members(artifact, query)
        else:
            preview = await visit.service.contents.preview(artifact, MAX_PREVIEW)
    except PipelineError as error:
        return _failed(visit, error, values)
    return await visit.service.run(_shown, visit, {**values, "members": members}, preview)


async def member_page(visit: Visit) -> Response:
    """Return the page of a file in a zip."""
    query = visit.asked(MemberQuery)
    artifact = Artifact(visit.kind, visit.job_id, query.run_id)
    links = visit.links
    values: dict[str, Any] = {
        "job_id": visit.job_id,
        "artifact": artifact,
        "run_id": query.run_id,
        "name": query.member,
        "member": query.member,
        "up": links.artifact(artifact),
        "zip_name": file_name(artifact),
        "download": links.member_download(artifact, query.member),
        "raw": links.member_picture(artifact, query.member),
    }
    try:
        preview = await visit.service.contents.member_preview(artifact, query.member, MAX_PREVIEW)
    except PipelineError as error:
        return _failed(visit, error, values)
    return await visit.service.run(_shown, visit, {**values, "members": None}, preview)


async def download(visit: Visit) -> Response:
    """Lead to a URL of the artifact, which is valid for a short time."""
    query = visit.asked(ArtifactQuery)
    artifact = Artifact(visit.kind, visit.job_id, query.run_id)
    found = await visit.service.contents.download(artifact)
    if found.must_be_restored:
        raise InvalidRequestError(
            f"{artifact}: archived, so it must be restored before it can be downloaded:"
            f" artifacts jobs uploads restore {artifact.job_id} --days 7"
        )
    is_here = found.url.startswith("/")
    url = f"{visit.links.root}{ROOT}{found.url}" if is_here else found.url
    return RedirectResponse(url, HTTPStatus.SEE_OTHER)


async def member_picture(visit: Visit) -> Response:
    """Return a picture in a zip, if the bytes are a picture."""
    query = visit.asked(MemberQuery)
    artifact = Artifact(visit.kind, visit.job_id, query.run_id)
    content = await visit.service.contents.member(artifact, query.member)
    head = next(content.chunks, b"")
    media_type = image_type(head)
    if media_type is None or content.size > IMAGE_BYTES:
        raise InvalidRequestError(f"{artifact}: this file is no picture that can be shown")
    chunks = chain((head,), content.chunks)
    return StreamingResponse(chunks, media_type=media_type, headers=CONTENT_HEADERS)


def _shown(visit: Visit, values: dict[str, Any], preview: Preview | None) -> Response:
    """Return the page with content, which blocks as long as the content is long."""
    return visit.page("artifact.html", problem=None, **values, **_of(preview))


def _of(preview: Preview | None) -> dict[str, Any]:
    if preview is None:
        return {"preview": None, "size": None, "part": None}
    part = min(preview.size, MAX_PREVIEW)
    return {"preview": shown(preview), "size": preview.size, "part": part}


def _failed(visit: Visit, error: PipelineError, values: dict[str, Any]) -> Response:
    """Return the page with the reason why there is no content."""
    problem = problem_of(error)
    values = {**values, "problem": problem, "preview": None, "members": None}
    return visit.page("artifact.html", HTTPStatus(problem.status), **values)
