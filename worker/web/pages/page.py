"""A page: its path, what makes it, and who may ask for it."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.web.access.csrf import FIELD
from artifact_pipeline.worker.web.api.endpoints import PATH_PARAMETERS
from artifact_pipeline.worker.web.api.models.system import Role
from artifact_pipeline.worker.web.errors import UnknownPathError
from artifact_pipeline.worker.web.pages.visit import Visit, form_of, visit_of
from artifact_pipeline.worker.web.problems import problem_of

logger = logging.getLogger(__name__)

Handler = Callable[[Visit], Awaitable[Response]]
_PARAMETERS: Mapping[str, Any] = {**PATH_PARAMETERS, "group": ReasonCode}


@dataclass(frozen=True, slots=True)
class Page:
    """A page that shows something."""

    path: str
    handle: Handler

    def route(self) -> Route:
        return Route(self.path, self._respond, methods=["GET"])

    async def _respond(self, request: HttpRequest) -> Response:
        visit = visit_of(request)
        return await _answered(self.handle, visit)


@dataclass(frozen=True, slots=True)
class Action:
    """A form that changes something, and then leads to a page."""

    path: str
    handle: Handler

    def route(self) -> Route:
        return Route(self.path, self._respond, methods=["POST"])

    async def _respond(self, request: HttpRequest) -> Response:
        visit = visit_of(request)
        try:
            visit.user.require(Role.OPERATOR)
            form = await form_of(request)
            visit.service.csrf.check(visit.user.name, form.get(FIELD, ""))
        except (PipelineError, HTTPException) as error:
            return problem_page(visit, error)
        return await _answered(self.handle, visit_of(request, form))


async def _answered(handle: Handler, visit: Visit) -> Response:
    try:
        path = {name: _checked(name, value) for name, value in visit.path.items()}
        return await handle(replace(visit, path=path))
    except Exception as error:  # noqa: BLE001 - a page says so, and the log has the frames
        return problem_page(visit, error)


def _checked(name: str, value: object) -> object:
    """Return the value of a parameter. Raises: UnknownPathError: it names nothing."""
    try:
        return TypeAdapter[object](_PARAMETERS[name]).validate_python(value)
    except ValidationError:
        raise UnknownPathError(f"there is no such page: {name} {value!r}") from None


def problem_page(visit: Visit, error: Exception) -> Response:
    """Return the page of an error; it never quotes a secret."""
    problem = problem_of(error)
    if problem.code == "unexpected":
        logger.error("%s failed", visit.links.path, exc_info=error)
    return visit.page("problem.html", HTTPStatus(problem.status), problem=problem)
