"""The proxy that botocore takes from the environment."""

import os
from urllib.parse import urlsplit

from botocore.utils import get_environ_proxies

from artifact_pipeline.domain.errors import MisconfiguredError

_SCHEMES = ("http", "https")


def check_proxy(endpoint_url: str) -> None:
    """Check the proxy of the endpoint: botocore finds a wrong one with the first request.

    Args: `endpoint_url` of a client; hosts of NO_PROXY have no proxy.

    Raises:
        MisconfiguredError: it is no URL; the message quotes none of it, as it may have a password.
    """
    proxy = get_environ_proxies(endpoint_url).get(urlsplit(endpoint_url).scheme)
    if proxy is None or _is_usable(proxy):
        return
    names = [name for name, value in os.environ.items() if value == proxy]
    raise MisconfiguredError(
        f"{', '.join(names) or 'the proxy'}: no URL of a proxy (example: http://proxy:3128)."
        " Correct or unset it"
    )


def _is_usable(proxy: str) -> bool:
    # As botocore completes it.
    with_scheme = proxy if "//" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(with_scheme, "http")
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
