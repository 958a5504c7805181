"""The forms that an endpoint's URL may have."""

from urllib.parse import SplitResult, urlsplit


def check_endpoint_form(value: str) -> str:
    """Return an endpoint's URL if the URLs of objects can be made of it."""
    parts = split_url(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the scheme or the host is missing. Example: https://s3.example.com")
    if parts.query or parts.fragment:
        raise ValueError("remove the query after the ? or #. Example: https://s3.example.com")
    return value


def addressing_refusal(why: str) -> str:
    """Return the error of a bucket that cannot be addressed by the host."""
    return f"ARTIFACTS_S3_ADDRESSING=virtual: {why}. Use path, or auto"


def split_url(url: str) -> SplitResult:
    """Return the parts of a URL. Raises: ValueError: it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # is checked only when it is asked for
    except ValueError:
        raise ValueError("not a URL: check the host and the port") from None
    return parts
