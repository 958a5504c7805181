"""RabbitMQ by TLS: kombu's transport, with the options of TLS as a `rediss://` URL has them.

kombu hands the options on to a client that has other names for them, and keeps the host name of
the first of several URLs for all.
"""

import ssl
from typing import Any

from kombu.transport import pyamqp

_PREFIX = "ssl_"


class Transport(pyamqp.SSLTransport):
    """A transport that verifies the certificate, and that it is for the host of the URL."""

    client: Any

    def establish_connection(self) -> Any:  # noqa: ANN401 - kombu's
        given = self.client.ssl if isinstance(self.client.ssl, dict) else {}
        self.client.ssl = client_options(given, self.client.hostname)
        return super().establish_connection()


def client_options(given: dict[str, Any], host: str) -> dict[str, Any]:
    """Return the client's options for those of a URL, or of the last connection."""
    options = {"cert_reqs": ssl.CERT_REQUIRED, "check_hostname": "server_hostname" not in given}
    options |= {name.removeprefix(_PREFIX): value for name, value in given.items()}
    is_checked = options.pop("check_hostname") or options.get("server_hostname") is not None
    is_verified = options["cert_reqs"] != ssl.CERT_NONE
    return {**options, "server_hostname": host if is_checked and is_verified else None}
