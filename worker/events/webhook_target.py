"""A receiver of signed webhooks."""

import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from types import MappingProxyType
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import make_headers

from artifact_pipeline.domain.model.queued_events import (
    Answer,
    Delivered,
    NotDelivered,
    QueuedEvent,
    Refused,
)
from artifact_pipeline.domain.model.webhooks import webhook_headers

_REFUSALS = {410, 413, 415, 422}
"""Answers that the same request gets again, however often it is sent."""
_MOST = 16 * 1024
"""Bytes of an answer that are read, to use the connection again."""
_ERRORS: Mapping[type[HTTPError], str] = MappingProxyType(
    {
        NameResolutionError: "the host is not found",
        NewConnectionError: "no connection",
        ConnectTimeoutError: "no connection in time",
        ReadTimeoutError: "no answer in time",
        ProxyError: "the proxy fails",
        SSLError: "the certificate is not accepted",
    }
)
"""The first that fits, without the address: what urllib3 says has it."""


class WebhookTarget:
    """Posts events to a URL, each signed by Standard Webhooks.

    Redirects are not followed: only the settings say which hosts get requests. Proxies are those
    of the environment.

    Args:
        url: of the receiver.
        secrets: of the signatures.
        timeout: to connect, and for each wait for the answer.
    """

    def __init__(self, url: str, secrets: Sequence[str], timeout: timedelta) -> None:
        self._url = url
        self._secrets = secrets
        self._timeout = timeout.total_seconds()

    def deliver(self, event: QueuedEvent, now: datetime) -> Answer:
        """Post the event, and return what the receiver says."""
        body = event.event.body()
        signed = webhook_headers(event.event.id, body, self._secrets, now)
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers={**self._headers, **signed},
                redirect=False,
                retries=False,
                timeout=Timeout(connect=self._timeout, read=self._timeout),
                preload_content=False,
            )
        except HTTPError as error:
            return NotDelivered(error=_reason(error))
        with closing(response):
            _keep_connection(response)
            return _answer(response)

    @cached_property
    def _headers(self) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "user-agent": f"artifact-pipeline/{version('artifact-pipeline')}",
        }

    @cached_property
    def _pool(self) -> PoolManager:
        # One connection: events are delivered one after the other.
        context = ssl.create_default_context()
        proxy = _proxy_of(self._url)
        if proxy is None:
            return PoolManager(num_pools=1, maxsize=1, ssl_context=context)
        return ProxyManager(
            proxy,
            num_pools=1,
            maxsize=1,
            ssl_context=context,
            proxy_headers=_proxy_headers(proxy),
        )


def _proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for the URL."""
    parsed = urlsplit(url)
    if proxy_bypass(parsed.netloc):
        return None
    proxies = getproxies()
    return proxies.get(parsed.scheme) or proxies.get("all")


def _proxy_headers(proxy: str) -> dict[str, str]:
    parsed = urlsplit(proxy)
    if parsed.username is None:
        return {}
    login = f"{unquote(parsed.username)}:{unquote(parsed.password or '')}"
    return dict(make_headers(proxy_basic_auth=login))


def _reason(error: HTTPError) -> str:
    return next((text for kind, text in _ERRORS.items() if isinstance(error, kind)), "no answer")


def _keep_connection(response: BaseHTTPResponse) -> None:
    """Read a short answer, so that the next event uses the same connection."""
    length = response.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > _MOST:
        return
    try:
        response.drain_conn()
    except HTTPError:
        response.close()  # the status has come, and counts


def _answer(response: BaseHTTPResponse) -> Answer:
    status = response.status
    if 200 <= status < 300:  # noqa: PLR2004 - success, in HTTP
        return Delivered()
    if status in _REFUSALS:
        return Refused(error=f"HTTP {status}")
    after = response.headers.get("retry-after", "")
    seconds = int(after) if after.isascii() and after.isdecimal() and len(after) < 6 else 0  # noqa: PLR2004 - digits
    return NotDelivered(error=f"HTTP {status}", retry_after=timedelta(seconds=seconds))
