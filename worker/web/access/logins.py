"""Logins by user and password: HTTP's basic authentication."""

import asyncio
import hmac
import logging
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes
from threading import Lock

from starlette.requests import HTTPConnection

from artifact_pipeline.domain.model.requester import requester_name
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.web.access.passwords import PasswordHash, spend_as_a_check
from artifact_pipeline.worker.web.access.users import User
from artifact_pipeline.worker.web.api.models.system import Role
from artifact_pipeline.worker.web.errors import BusyError, UnauthenticatedError

logger = logging.getLogger(__name__)

_REMEMBERED_SECONDS = 300.0
_REMEMBERED = 1_000
_WAITING = 20
"""Passwords that wait for their check; each check costs a core some hundredths of a second."""
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

    A right password is remembered for some minutes, by a keyed hash: to check one anew costs
    more than most answers.

    Args:
        logins: by the users' names.
        clock: in seconds.
    """

    challenge: str | None = 'Basic realm="artifacts", charset="UTF-8"'

    def __init__(
        self, logins: Mapping[str, Login], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logins = logins
        self._clock = clock
        self._key = token_bytes(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._lock = Lock()
        # One at a time: guesses must not take all cores and threads.
        self._checks = ThreadPoolExecutor(1, thread_name_prefix="web-login")
        self._waiting = 0

    async def user_of(self, connection: HTTPConnection) -> User:
        """Return who asks. Raises: UnauthenticatedError, BusyError."""
        name, password = _credentials(connection.headers.get("authorization", ""))
        login = self._logins.get(name)
        mark = hmac.new(self._key, f"{name}\0{password}".encode(), sha256).digest()
        if login is not None and self._is_remembered(mark):
            return login.user
        if login is None or not await self._is_right(login, password):
            if login is None:
                await self._checked(spend_as_a_check, password)
            peer = connection.client.host if connection.client else "unknown"
            logger.warning("a login as %s from %s was refused", redact(name)[:50], peer)
            raise UnauthenticatedError(_WRONG)
        self._remember(mark)
        return login.user

    async def _is_right(self, login: Login, password: str) -> bool:
        return bool(await self._checked(login.password.is_of, password))

    async def _checked(self, check: Callable[[str], bool | None], password: str) -> bool | None:
        if self._waiting >= _WAITING:
            raise BusyError("too many logins are being checked. Try again in a moment")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._checks, check, password)
        finally:
            self._waiting -= 1

    def _is_remembered(self, mark: bytes) -> bool:
        with self._lock:
            until = self._right.get(mark)
        return until is not None and self._clock() < until

    def _remember(self, mark: bytes) -> None:
        with self._lock:
            self._right[mark] = self._clock() + _REMEMBERED_SECONDS
            self._right.move_to_end(mark)
            while len(self._right) > _REMEMBERED:
                self._right.popitem(last=False)


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
