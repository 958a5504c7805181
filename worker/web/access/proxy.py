"""Users whom a reverse proxy has let in, and names in a header."""

import ipaddress
from collections.abc import Collection, Sequence

from starlette.requests import HTTPConnection

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.requester import requester_name
from artifact_pipeline.worker.web.access.users import User
from artifact_pipeline.worker.web.api.models.system import Role
from artifact_pipeline.worker.web.errors import UnauthenticatedError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
EVERYONE = "*"


def parse_networks(text: str) -> list[Network]:
    """Read addresses and networks, separated by commas.

    Raises:
        ValueError: one is none.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return [ipaddress.ip_network(part) for part in parts]


class ProxyAccess:
    """Takes the user from the header of trusted proxies alone.

    Args:
        header: in which the proxy names the user; it must replace what a client sends there.
        trusted: addresses of the proxies.
        operators: the users who may change something; `*` is everyone.
    """

    challenge: str | None = None

    def __init__(self, header: str, trusted: Sequence[Network], operators: Collection[str]) -> None:
        self._header = header
        self._trusted = trusted
        self._operators = operators

    async def user_of(self, connection: HTTPConnection) -> User:
        """Return whom the proxy names. Raises: UnauthenticatedError."""
        peer = connection.client
        if peer is None or not self._is_trusted(peer.host):
            raise UnauthenticatedError(
                "the request does not come from a proxy of ARTIFACTS_WEB_TRUSTED_PROXIES"
            )
        named = connection.headers.getlist(self._header)
        if len(named) != 1:
            raise UnauthenticatedError(f"the proxy names no user, or several, in {self._header}")
        try:
            name = requester_name(named[0]) or ""
        except InvalidRequestError as wrong:
            raise UnauthenticatedError(f"{self._header}: {wrong}") from None
        is_operator = EVERYONE in self._operators or name in self._operators
        return User(name, Role.OPERATOR if is_operator else Role.READ_ONLY)

    def _is_trusted(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        # An IPv4 peer of a socket that takes both looks like ::ffff:10.0.0.7.
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._trusted)
