"""Headers that each response gets."""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders

POLICY = "Content-Security-Policy"
CONTENT_HEADERS = {POLICY: "sandbox; default-src 'none'; frame-ancestors 'none'"}
"""For stored content: a browser must run none of it."""


def security_headers(form_origins: Sequence[str] = ()) -> dict[str, str]:
    """Return the headers.

    Args: `form_origins` where a form may lead to, beside this server: of the store's URLs.
    """
    forms = " ".join(("'self'", *form_origins))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " font-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none';"
        f" form-action {forms}"
    )
    return {
        POLICY: policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # With "no-referrer", browsers hide the origin of forms too, which is checked.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }


def add_headers(headers: MutableHeaders, always: dict[str, str]) -> None:
    """Add them, and keep a response's own policy and what it says about caching."""
    for name, value in always.items():
        if name != POLICY or name not in headers:
            headers[name] = value
    headers.setdefault("Cache-Control", "no-store")
