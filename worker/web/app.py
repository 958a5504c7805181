"""The ASGI application: the guard around the API and the pages."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.worker.web.access.guard import HEALTH, Guard
from artifact_pipeline.worker.web.access.hosts import LOCAL_HOSTS
from artifact_pipeline.worker.web.access.users import Access
from artifact_pipeline.worker.web.api.openapi import PATH, openapi
from artifact_pipeline.worker.web.api.routes import ENDPOINTS, ROOT
from artifact_pipeline.worker.web.problems import problem_of, problem_response
from artifact_pipeline.worker.web.service import WebService

logger = logging.getLogger(__name__)


def create_app(
    service: WebService | None = None,
    *,
    access: Access,
    hosts: Collection[str] = LOCAL_HOSTS,
    is_read_only: bool = False,
    pages: Sequence[BaseRoute] = (),
) -> Guard:
    """Return the application. It can be mounted in another one, at any path.

    Args:
        service: what it shows; by default of the settings in the environment.
        access: how users are known. There is no default, since the application shows artifacts to
            everybody whom it lets in.
        hosts: the names that it is known by, for the header `Host`; `*` is any.
        is_read_only: refuse everything that changes something.
        pages: routes beside the API.
    """
    shown = service or WebService()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        # Connects meanwhile. A database that does not answer delays no start.
        warming = asyncio.create_task(shown.overviews.get())
        yield
        warming.cancel()
        shown.close()

    app = Starlette(
        routes=[
            Route(HEALTH, _health, methods=["GET"]),
            Mount(ROOT, routes=api_routes(), name="api"),
            *pages,
        ],
        exception_handlers={Exception: _failed, PipelineError: _failed, HTTPException: _failed},
        lifespan=lifespan,
    )
    app.state.service = shown
    # Outside of all, so that a response to an unexpected error has the headers as well.
    return Guard(
        app,
        access=access,
        hosts=hosts,
        is_read_only=is_read_only,
        form_origins=shown.sources.store_origins,
    )


def api_routes() -> list[BaseRoute]:
    """Return a route for each endpoint, without the root of the API."""
    routes = [
        Route(each.path, each.respond, methods=[each.method], name=each.name) for each in ENDPOINTS
    ]
    return [*routes, Route(PATH, _openapi, methods=["GET"], name="openapi")]


async def _openapi(request: Request) -> Response:
    root: str = request.scope.get("root_path", "")  # with the root of the API
    return Response(_document(root), media_type="application/json")


@lru_cache(maxsize=8)
def _document(root: str) -> bytes:
    return bytes(JSONResponse(openapi(ENDPOINTS, root)).body)


async def _health(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _failed(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.code == "unexpected":
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(problem)
