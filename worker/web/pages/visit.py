"""A request for a page: who makes it, what it asks for, and the responses that it can get."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from pydantic import ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, RedirectResponse, Response

from artifact_pipeline.domain.model.bounded import is_storable
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.web.access.users import User
from artifact_pipeline.worker.web.api.models.base import Request
from artifact_pipeline.worker.web.api.models.system import Role
from artifact_pipeline.worker.web.errors import InvalidInputError
from artifact_pipeline.worker.web.pages import frame
from artifact_pipeline.worker.web.pages.links import Links
from artifact_pipeline.worker.web.problems import invalid_input
from artifact_pipeline.worker.web.service import WebService

ModelT = TypeVar("ModelT", bound=Request)

_MAX_FIELD = 16 * 1024
_MAX_FIELDS = 60
_NOTICE = "done"
"""The name in a query under which a page gets what became of an action.

It is signed: otherwise a link could have any text shown.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request. Attributes: `path` has the path's parameters, `form` the fields of a POST."""

    service: WebService
    user: User
    links: Links
    path: Mapping[str, object]
    query: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def job_id(self) -> int:
        return int(str(self.path["job_id"]))

    @property
    def batch_id(self) -> int:
        return int(str(self.path["batch_id"]))

    @property
    def kind(self) -> ArtifactKind:
        return ArtifactKind(str(self.path["kind"]))

    def asked(self, model: type[ModelT], **more: object) -> ModelT:
        """Return the query as a request of the API; what it does not know is for the page.

        Raises: InvalidInputError.
        """
        return checked(model, self.query, more)

    def sent(self, model: type[ModelT], **more: object) -> ModelT:
        """Return the form as a request of the API. Raises: InvalidInputError."""
        return checked(model, self.form, more)

    def page(
        self, template: str, status: HTTPStatus = HTTPStatus.OK, **values: object
    ) -> HTMLResponse:
        """Return a page."""
        made = frame.Frame(
            links=self.links,
            user=frame.User(self.user.name, self.user.role is Role.OPERATOR),
            csrf_token=self.service.csrf.token(self.user.name),
            notice=self._notice(),
        )
        return HTMLResponse(made.render(template, **values), status)

    def done(self, path: str, text: str) -> Response:
        """Lead to another page, which says what was done."""
        signed = f"{self.service.signer.sign(_NOTICE, text)}.{text}"
        target = Links(root=self.links.root, path=path).next(**{_NOTICE: signed})
        return RedirectResponse(target, HTTPStatus.SEE_OTHER)

    def _notice(self) -> frame.Notice | None:
        signature, _, text = self.query.get(_NOTICE, "").partition(".")
        is_ours = self.service.signer.is_signed(_NOTICE, text, signature)
        return frame.Notice(text) if text and is_ours else None


def checked(model: type[ModelT], given: Mapping[str, str], more: Mapping[str, object]) -> ModelT:
    """Return a request of the API. Raises: InvalidInputError."""
    known = {name: given[name] for name in model.model_fields if given.get(name)}
    try:
        return model.model_validate({**known, **more})
    except ValidationError as error:
        raise invalid_input(error) from None


def visit_of(request: HttpRequest, form: Mapping[str, str] | None = None) -> Visit:
    """Return the visit of a request."""
    root = request.scope.get("root_path", "")
    query = dict(request.query_params)
    shown = {name: value for name, value in query.items() if name != _NOTICE}
    path = request.url.path.removeprefix(root) or "/"
    return Visit(
        service=request.app.state.service,
        user=request.state.user,
        links=Links(root=root, path=path, query=shown),
        path=request.path_params,
        query=query,
        form=form or {},
    )


async def form_of(request: HttpRequest) -> dict[str, str]:
    """Read the fields of a form. Raises: InvalidInputError; HTTPException: it is too long."""
    limits = {"max_files": 0, "max_fields": _MAX_FIELDS, "max_part_size": _MAX_FIELD}
    async with request.form(**limits) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    if not all(map(is_storable, fields.values())):
        raise InvalidInputError("a field has a NUL or a character that is no Unicode")
    return fields
