"""The first to see each request: host, user, other sites; and the headers of each response."""

import logging
from collections.abc import Collection

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.worker.web.access.csrf import refuse_other_sites
from artifact_pipeline.worker.web.access.headers import add_headers, security_headers
from artifact_pipeline.worker.web.access.hosts import check_host
from artifact_pipeline.worker.web.access.users import Access, User
from artifact_pipeline.worker.web.errors import UnauthenticatedError
from artifact_pipeline.worker.web.problems import problem_of, problem_response

logger = logging.getLogger(__name__)

HEALTH = "/healthz"
"""Answers without a login, for a load balancer; it says nothing but that the server runs."""


class Guard:
    """Refuses requests before any handler sees them.

    Args:
        app: what is guarded.
        access: how users are known.
        hosts: the names of the server.
        is_read_only: all users may only read.
        form_origins: as `security_headers`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        hosts: Collection[str],
        is_read_only: bool,
        form_origins: Collection[str] = (),
    ) -> None:
        self._app = app
        self._access = access
        self._hosts = hosts
        self._is_read_only = is_read_only
        self._headers = security_headers(tuple(form_origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, and hand it on with its user."""
        if scope["type"] != "http":
            # There are no WebSockets, which would need checks of their own.
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(MutableHeaders(scope=message), self._headers)
            await send(message)

        try:
            scope.setdefault("state", {})["user"] = await self._checked(HTTPConnection(scope))
        except PipelineError as error:
            await self._refuse(error, scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    async def _checked(self, connection: HTTPConnection) -> User | None:
        scope = connection.scope
        if scope["path"].removeprefix(scope.get("root_path", "")) == HEALTH:
            return None
        check_host(connection.headers.get("host", ""), self._hosts)
        user = await self._access.user_of(connection)
        refuse_other_sites(scope["method"], connection.headers)
        return user.limited_to_reading() if self._is_read_only else user

    async def _refuse(
        self, error: PipelineError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers = {}
        if isinstance(error, UnauthenticatedError) and self._access.challenge:
            headers["WWW-Authenticate"] = self._access.challenge
        response = problem_response(problem_of(error), headers)
        await response(scope, receive, send)
