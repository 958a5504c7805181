"""An endpoint of the API: what it takes, what it answers, and who may use it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from artifact_pipeline.domain.model.bounded import Id, RowId
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.web.access.csrf import HEADER, SAFE_METHODS
from artifact_pipeline.worker.web.access.users import User
from artifact_pipeline.worker.web.api.models.base import Answer, Request
from artifact_pipeline.worker.web.api.models.system import Role
from artifact_pipeline.worker.web.errors import InvalidInputError
from artifact_pipeline.worker.web.problems import invalid_input
from artifact_pipeline.worker.web.service import WebService

PATH_PARAMETERS: Mapping[str, Any] = {
    "job_id": Id,
    "batch_id": RowId,
    "kind": ArtifactKind,
}
"""The type of each parameter that a path can have."""
_PARAMETER = re.compile(r"\{(\w+)\}")
_MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request whose input was checked.

    Attributes:
        path: the parameters of the path.
        query: the model of the query, if the endpoint has one.
        body: the model of the body, if it has one.
        root: the path of the API, with that of the application that it is mounted in.
    """

    service: WebService
    user: User
    path: Mapping[str, Any]
    query: Any = None
    body: Any = None
    root: str = ""


Handler = Callable[[Call], Awaitable[Answer | Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint.

    Attributes:
        name: the id of the operation.
        answer: the model of the answer; None if it is no JSON.
        media_type: of an answer that is no JSON.
        query, body: the models of what it takes.
        role: that the user needs.
    """

    path: str
    name: str
    summary: str
    handle: Handler
    answer: type[Answer] | None = None
    method: str = "GET"
    media_type: str = "application/json"
    query: type[Request] | None = None
    body: type[Request] | None = None
    role: Role = Role.READ_ONLY

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters in the path."""
        return _PARAMETER.findall(self.path)

    async def respond(self, request: HttpRequest) -> Response:
        """Answer a request.

        Raises:
            PipelineError: as the handler, or because the request is not allowed.
        """
        service: WebService = request.app.state.service
        user: User = request.state.user
        user.require(self.role)
        if self.method not in SAFE_METHODS:
            service.csrf.check(user.name, request.headers.get(HEADER, ""))
        try:
            call = Call(
                service=service,
                user=user,
                path={
                    name: TypeAdapter(PATH_PARAMETERS[name]).validate_python(value)
                    for name, value in request.path_params.items()
                },
                query=self.query and self._query(request),
                body=self.body and await self._body(request, self.body),
                root=request.scope.get("root_path", ""),
            )
        except ValidationError as error:
            raise invalid_input(error) from None
        answer = await self.handle(call)
        return answer if isinstance(answer, Response) else _json(answer)

    def _query(self, request: HttpRequest) -> BaseModel:
        assert self.query is not None  # noqa: S101 - the caller looks
        given: dict[str, Any] = {}
        for name in request.query_params:
            values = request.query_params.getlist(name)
            given[name] = values if _is_list(self.query, name) else values[-1]
        return self.query.model_validate({name: value for name, value in given.items() if value})

    async def _body(self, request: HttpRequest, model: type[Request]) -> BaseModel:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise InvalidInputError("send the body as application/json")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY:
                raise InvalidInputError(f"the body is longer than {_MAX_BODY} bytes")
        return model.model_validate_json(bytes(body))


def _is_list(model: type[BaseModel], name: str) -> bool:
    field = model.model_fields.get(name)
    return field is not None and any(each in (list, tuple) for each in get_args(field.annotation))


def _json(answer: Answer) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")
