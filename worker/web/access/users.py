"""Who asks, and what they may do."""

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Protocol

from starlette.requests import HTTPConnection

from artifact_pipeline.worker.web.api.models.system import Role
from artifact_pipeline.worker.web.errors import ForbiddenError, UnauthenticatedError


@dataclass(frozen=True, slots=True)
class User:
    """A user, by the name that the audit trail keeps."""

    name: str
    role: Role

    def limited_to_reading(self) -> "User":
        """Return the same user, who may only read."""
        return replace(self, role=Role.READ_ONLY)

    def require(self, role: Role) -> None:
        """Raise ForbiddenError if the user may not do what needs this role."""
        if role is Role.OPERATOR and self.role is not Role.OPERATOR:
            raise ForbiddenError(f"{self.name} may only read: this needs the role operator")


_FORWARDING = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers that a proxy adds: their request comes from wherever the proxy lets it come from."""


class Access(Protocol):
    """How users are known."""

    challenge: str | None
    """What `WWW-Authenticate` says to those who are not; None without one."""

    async def user_of(self, connection: HTTPConnection) -> User:
        """Return who asks. Raises: UnauthenticatedError: that is not known."""


class LocalAccess:
    """Everyone on this host, under one name. Requests of other hosts are refused.

    Args: `name` of the user who runs the server.
    """

    challenge: str | None = None

    def __init__(self, name: str) -> None:
        self._user = User(name, Role.OPERATOR)

    async def user_of(self, connection: HTTPConnection) -> User:
        """Return the user.

        Raises:
            UnauthenticatedError: the request comes from another host, or through a proxy, whose
                peer and host are its own.
        """
        for header in _FORWARDING:
            if header in connection.headers:
                raise UnauthenticatedError(
                    f"the request came through a proxy ({header}), and this server has no logins:"
                    " set ARTIFACTS_WEB_USER_HEADER or ARTIFACTS_WEB_LOGINS"
                )
        peer = connection.client
        if peer is not None and not is_loopback(peer.host):
            raise UnauthenticatedError("without logins, this server answers only its own host")
        return self._user


def is_loopback(host: str) -> bool:
    """Return whether an address is of this host alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
