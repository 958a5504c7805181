"""The handlers of the endpoints: each hands its call on to the service."""

from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.web.access.headers import CONTENT_HEADERS
from artifact_pipeline.worker.web.api.endpoints import Call
from artifact_pipeline.worker.web.api.models.base import Answer
from artifact_pipeline.worker.web.api.models.content import Download
from artifact_pipeline.worker.web.api.models.system import Session
from artifact_pipeline.worker.web.event_stream import event_stream
from artifact_pipeline.worker.web.services.contents import Content

ROOT = "/api/v1"


async def session(call: Call) -> Answer:
    """Return who asks."""
    user = call.user
    return Session(user=user.name, role=user.role, csrf_token=call.service.csrf.token(user.name))


async def overview(call: Call) -> Answer:
    return await call.service.overviews.get()


async def events(call: Call) -> Response:
    """Send the overview each second, as an event."""
    overviews = call.service.overviews
    return event_stream(overviews, overviews.changes(), "overview")


async def jobs(call: Call) -> Answer:
    return await call.service.jobs.search(call.query)


async def job(call: Call) -> Answer:
    return await call.service.jobs.get(call.path["job_id"], call.query)


async def job_history(call: Call) -> Answer:
    return await call.service.trails.of_job(call.path["job_id"], call.query)


async def job_objects(call: Call) -> Answer:
    return await call.service.contents.listing(call.path["job_id"])


async def download(call: Call) -> Answer:
    """Return a URL; one of this server gets the path that it is mounted at."""
    found = await call.service.contents.download(_artifact(call))
    if found.expires_in is not None:
        return found
    return Download(**{**found.model_dump(), "url": f"{call.root}{found.url}"})


async def content(call: Call) -> Response:
    return attachment(await call.service.contents.content(_artifact(call)))


async def transfers(call: Call) -> Answer:
    return await call.service.transfers.page(call.query)


async def preview(call: Call) -> Answer:
    return await call.service.contents.preview(_artifact(call), call.query.limit)


async def members(call: Call) -> Answer:
    return await call.service.contents.members(_artifact(call), call.query)


async def member_content(call: Call) -> Response:
    return attachment(await call.service.contents.member(_artifact(call), call.query.member))


async def member_preview(call: Call) -> Answer:
    return await call.service.contents.member_preview(
        _artifact(call), call.query.member, call.query.limit
    )


async def batches(call: Call) -> Answer:
    return await call.service.batches.page(call.query)


async def batch(call: Call) -> Answer:
    return await call.service.batches.get(call.path["batch_id"])


async def batch_members(call: Call) -> Answer:
    return await call.service.batches.members(call.path["batch_id"], call.query)


async def batch_preview(call: Call) -> Answer:
    return await call.service.batches.preview_of(call.path["batch_id"])


async def batch_report(call: Call) -> Response:
    batch_id = call.path["batch_id"]
    lines = await call.service.batches.report(batch_id)
    name = f"batch-{batch_id}.csv"
    return StreamingResponse(lines, media_type="text/csv", headers=_disposition(name))


async def new_batch(call: Call) -> Answer:
    return await call.service.batches.preview(call.body, call.user)


async def start_batch(call: Call) -> Answer:
    return await call.service.batches.start(call.path["batch_id"], call.body, call.user)


async def pause_batch(call: Call) -> Answer:
    return await call.service.batches.pause(call.path["batch_id"], call.body, call.user)


async def resume_batch(call: Call) -> Answer:
    return await call.service.batches.resume(call.path["batch_id"], call.body, call.user)


async def change_batch(call: Call) -> Answer:
    return await call.service.batches.change(call.path["batch_id"], call.body, call.user)


async def cancel_batch(call: Call) -> Answer:
    return await call.service.batches.cancel(call.path["batch_id"], call.body, call.user)


async def quarantine(call: Call) -> Answer:
    return await call.service.quarantine.groups()


async def quarantined(call: Call) -> Answer:
    return await call.service.quarantine.page(call.query)


async def selection(call: Call) -> Answer:
    return await call.service.quarantine.selection(call.query, call.user)


async def retry(call: Call) -> Answer:
    return await call.service.quarantine.retry(call.body, call.user)


async def discard(call: Call) -> Answer:
    return await call.service.quarantine.discard(call.body, call.user)


async def system(call: Call) -> Answer:
    return await call.service.system.get()


async def trail(call: Call) -> Answer:
    return await call.service.trails.page(call.query)


def attachment(content: Content) -> Response:
    """Return the bytes as a file to save: a browser must not show what a user has stored."""
    return StreamingResponse(
        content.chunks,
        media_type="application/octet-stream",
        headers={
            **CONTENT_HEADERS,
            **_disposition(content.name),
            "Content-Length": str(content.size),
        },
    )


def _disposition(name: str) -> dict[str, str]:
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    encoded = quote(name, safe="", errors="replace")
    return {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"}


def _artifact(call: Call) -> Artifact:
    return Artifact(call.path["kind"], call.path["job_id"], call.query.run_id)
