"""Proof that a request which changes something comes from a page of this server."""

import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from secrets import token_bytes
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from artifact_pipeline.worker.web.errors import CrossSiteError

HEADER = "X-CSRF-Token"
FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_VALID_SECONDS = 12 * 3600
_SAME = frozenset({"same-origin", "none"})


class Signer:
    """Signs short texts.

    Args: `secret` by default a random one, which ends with the process.
    """

    def __init__(self, secret: str = "") -> None:
        self._key = sha256(secret.encode()).digest() if secret else token_bytes(32)

    def sign(self, purpose: str, text: str) -> str:
        """Return the signature of a text for this purpose alone."""
        message = f"{purpose}\0{text}".encode()
        digest = hmac.new(self._key, message, sha256).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def is_signed(self, purpose: str, text: str, signature: str) -> bool:
        """Return whether the signature is right."""
        return hmac.compare_digest(self.sign(purpose, text).encode(), signature.encode())


class CsrfTokens:
    """Tokens that another site cannot read, for one user and some hours.

    Args:
        signer: signs them.
        clock: in seconds since 1970.
    """

    def __init__(self, signer: Signer, clock: Callable[[], float] = time.time) -> None:
        self._signer = signer
        self._clock = clock

    def token(self, user: str) -> str:
        """Return a token for the user."""
        expires = str(int(self._clock()) + _VALID_SECONDS)
        return f"{expires}.{self._signer.sign('csrf', f'{user} {expires}')}"

    def check(self, user: str, token: str) -> None:
        """Raise CrossSiteError unless the token is the user's and has not expired."""
        expires, _, signature = token.partition(".")
        is_right = self._signer.is_signed("csrf", f"{user} {expires}", signature)
        # The signature is checked first, so the time is a number of ours.
        if not is_right or int(expires) < self._clock():
            raise CrossSiteError(
                "the CSRF token is missing, wrong or too old. Reload the page, or get a token"
                f" from /api/v1/session and send it as {HEADER}"
            )


def refuse_other_sites(method: str, headers: Headers) -> None:
    """Raise CrossSiteError if a browser says that another site makes the request.

    Programs send neither header. A proxy may change the scheme, so the host alone is compared.
    """
    if method in SAFE_METHODS:
        return
    site = headers.get("sec-fetch-site")
    if site is not None and site not in _SAME:
        raise CrossSiteError(f"the request comes from another site ({site!r})")
    origin = headers.get("origin")
    if origin is not None and _host_of(origin) != headers.get("host"):
        raise CrossSiteError("the request comes from another origin")


def _host_of(origin: str) -> str | None:
    """Return host and port; None if it is no origin."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
