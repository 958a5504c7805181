"""The names that this server is known by.

A page of another site can have its own name resolve to this address (DNS rebinding); the browser
then takes it for the same site, but sends that name.
"""

import re
from collections.abc import Collection

from artifact_pipeline.worker.web.errors import WrongHostError

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
ANY_HOST = "*"
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]/@]+)(?::\d{1,5})?")


def check_host(header: str, allowed: Collection[str]) -> None:
    """Raise WrongHostError unless the header `Host` has one of the allowed names."""
    if ANY_HOST in allowed:
        return
    found = _HOST.fullmatch(header)
    if found is None or found[1].lower() not in {each.lower() for each in allowed}:
        raise WrongHostError(
            "the request names a host that this server is not known by. Add it to"
            " ARTIFACTS_WEB_HOSTS"
        )
