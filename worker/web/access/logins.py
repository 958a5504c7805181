"""Logins by user and password: HTTP's basic authentication."""

import hmac
import logging
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes

from starlette.requests import HTTPConnection

from artifact_pipeline.domain.model.requester import requester_name
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.web.access.password_checks import PasswordChecks
from artifact_pipeline.worker.web.access.passwords import PasswordHash, spend_as_a_check
from artifact_pipeline.worker.web.access.users import User
from artifact_pipeline.worker.web.api.models.system import Role
from artifact_pipeline.worker.web.errors import UnauthenticatedError

logger = logging.getLogger(__name__)

_LONGEST = 1_000
_WRONG = "the user or the password is wrong"


@dataclass(frozen=True, slots=True)
class Login:
    """A user who may log in."""

    user: User
    password: PasswordHash


def parse_logins(text: str) -> dict[str, Login]:
    """Read logins, `NAME:ROLE:HASH` separated by commas; return them by their names.

    Raises:
        ValueError: one cannot be read; the message quotes no hash.
    """
    logins: dict[str, Login] = {}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for number, part in enumerate(parts, start=1):
        where = f"part {number} of {len(parts)}"
        name, _, rest = part.partition(":")
        role, _, hashed = rest.partition(":")
        if role not in set(Role):
            raise ValueError(f"{where}: the role is not {' or '.join(Role)}: NAME:ROLE:HASH")
        if name in logins:
            raise ValueError(f"{where}: {name!r} is named twice")
        try:
            user = User(requester_name(name) or "", Role(role))
            logins[name] = Login(user, PasswordHash.parse(hashed))
        except ValueError as wrong:
            raise ValueError(f"{where}: {wrong}") from None
    return logins


class LoginAccess:
    """Users with passwords.

    A right password is remembered by a keyed hash, until the process ends: logins change with a
    new start alone. So a user who is logged in waits for nobody's guesses.

    Args: `logins` by the users' names.
    """

    challenge: str | None = 'Basic realm="artifacts", charset="UTF-8"'

    def __init__(self, logins: Mapping[str, Login]) -> None:
        self._logins = logins
        self._key = token_bytes(32)
        self._right: dict[str, bytes] = {}
        self._checks = PasswordChecks()

    async def user_of(self, connection: HTTPConnection) -> User:
        """Return who asks. Raises: UnauthenticatedError, BusyError."""
        name, password = _credentials(connection.headers.get("authorization", ""))
        login = self._logins.get(name)
        mark = hmac.new(self._key, f"{name}\0{password}".encode(), sha256).digest()
        if login is not None and hmac.compare_digest(self._right.get(name, b""), mark):
            return login.user
        # An unknown name takes as long as a wrong password.
        check = spend_as_a_check if login is None else login.password.is_of
        peer = connection.client.host if connection.client else "unknown"
        if not await self._checks.run(check, password, mark, peer) or login is None:
            logger.warning("a login as %s from %s was refused", redact(name)[:50], peer)
            raise UnauthenticatedError(_WRONG)
        self._right[name] = mark
        return login.user


def _credentials(header: str) -> tuple[str, str]:
    """Return user and password of the header `Authorization`. Raises: UnauthenticatedError."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic" or len(value) > _LONGEST:
        raise UnauthenticatedError
    try:
        name, colon, password = b64decode(value, validate=True).decode().partition(":")
    except (Base64Error, UnicodeDecodeError):
        raise UnauthenticatedError from None
    if not colon:
        raise UnauthenticatedError
    return name, password
