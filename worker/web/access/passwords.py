"""Hashes of passwords, by scrypt: `scrypt:N:R:P:SALT:DIGEST`."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from secrets import token_bytes
from typing import Self

from artifact_pipeline.domain.errors import InvalidRequestError

_N, _R, _P = 2**14, 8, 1
_LARGEST = 64 * 2**20
"""Bytes of memory that a hash may cost."""
_FORM = re.compile(r"scrypt:(\d{1,8}):(\d{1,3}):(\d{1,3}):([\w-]{16,}):([\w-]{32,})")
_DUMMY_SALT = b"\0" * 16


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A hash with its parameters. `repr` shows none of it."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    def __repr__(self) -> str:
        return "PasswordHash(…)"

    def __str__(self) -> str:
        """Return the hash as the settings have it."""
        return f"scrypt:{self.n}:{self.r}:{self.p}:{_text(self.salt)}:{_text(self.digest)}"

    @classmethod
    def of(cls, password: str) -> Self:
        """Hash a password. Raises: InvalidRequestError: it is empty."""
        if not password:
            raise InvalidRequestError("the password is empty")
        salt = token_bytes(16)
        return cls(_N, _R, _P, salt, _scrypt(password, salt, _N, _R, _P))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a hash.

        Raises:
            ValueError: it is none; the message does not quote it.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError("it is no hash of `artifacts web --hash-password`")
        n, r, p = (int(each) for each in found.groups()[:3])
        if n <= 1 or n & (n - 1) or not (r and p) or 128 * n * r * p > _LARGEST:
            raise ValueError("its parameters of scrypt are out of range")
        return cls(n, r, p, _bytes(found[4]), _bytes(found[5]))

    def is_of(self, password: str) -> bool:
        """Return whether it is the hash of this password; takes some hundredths of a second."""
        found = _scrypt(password, self.salt, self.n, self.r, self.p)
        return hmac.compare_digest(found, self.digest)


def spend_as_a_check(password: str) -> bool:
    """Return False, as late as a check, so that the time does not tell which users exist."""
    _scrypt(password, _DUMMY_SALT, _N, _R, _P)
    return False


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=2 * _LARGEST, dklen=32
    )


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
