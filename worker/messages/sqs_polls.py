"""Requests for messages of Amazon SQS that end: with messages, with nothing, or with a failure.

kombu's own raise an error into the worker's main loop, or are never answered: its HTTP client has
no time-outs.
"""

import json
import os
from typing import Any

import pycurl  # type: ignore[import-untyped]
from kombu.asynchronous.aws.connection import AsyncHTTPSConnection
from kombu.asynchronous.aws.sqs.connection import AsyncSQSConnection

FAILURE = "Failure"
"""The key under which an answer says why SQS gave none."""
_CONNECT_SECONDS = 5
_SECONDS = 30
"""Longer than a request waits at SQS."""


_Kombus: Any = AsyncSQSConnection  # whose stubs lack what is changed here


class Polls(_Kombus):  # type: ignore[misc]
    """A connection whose answers are never an exception."""

    def get_http_connection(self) -> AsyncHTTPSConnection:
        return _Connection(http_client=self._httpclient)

    def _on_list_ready(self, parent: Any, markers: Any, operation: str, response: Any) -> Any:  # noqa: ANN401 - kombu's
        if response.status != self.STATUS_CODE_OK:
            return {FAILURE: _reason(response)}
        try:
            return super()._on_list_ready(parent, markers, operation, response)
        except Exception as error:  # noqa: BLE001 - the answer of a proxy, which the parser does not know
            return {FAILURE: type(error).__name__}


class _Connection(AsyncHTTPSConnection):
    def getrequest(self) -> Any:  # noqa: ANN401 - of kombu
        request = super().getrequest()
        request.on_prepare = _set_time_outs
        # boto3 reads it too, and kombu does not.
        request.ca_certs = os.environ.get("AWS_CA_BUNDLE") or request.ca_certs
        return request


def _set_time_outs(curl: Any) -> None:  # noqa: ANN401 - of pycurl
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.CONNECTTIMEOUT, _CONNECT_SECONDS)
    curl.setopt(pycurl.TIMEOUT, _SECONDS)


def _reason(response: Any) -> str:  # noqa: ANN401 - of kombu
    """Return the error's code by SQS, or what the HTTP client says."""
    try:
        code = json.loads(response.read())["__type"].rpartition("#")[2]
    except (TypeError, ValueError, LookupError, AttributeError):
        code = str(response.reason or "")
    return f"HTTP {response.status} {code}".strip()
