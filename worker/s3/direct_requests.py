"""Requests with a body, sent without most of botocore's work for each of them.

The first request of each form goes through boto3, and is what the others are made from. They use
the client's own credentials and connections. If an answer is anything else than a plain
success, boto3 gets it as the answer to its first attempt: retries, redirects and errors are its
own.
"""

import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import gmtime, strftime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.auth import SIGV4_TIMESTAMP

from artifact_pipeline.worker.s3.open_connections import OpenConnections
from artifact_pipeline.worker.s3.plain_client import is_logged, is_plain, parts_of
from artifact_pipeline.worker.s3.request_template import Call, NotPlainError, RequestTemplate
from artifact_pipeline.worker.s3.upload_parts import Body

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_OK = 200
_MOST_TRIES = 3
"""Requests of one form that are looked at, until none of them is taken for a template."""

_OPERATIONS = ("PutObject", "UploadPart")


def send(  # noqa: PLR0913 - a method of the client, and the body apart
    client: "S3Client",
    method: str,
    arguments: Mapping[str, Any],
    *,
    body: Body,
    length: int,
    sha256: bytes,
) -> Mapping[str, Any]:
    """Send the body, and return the answer's headers by the names that boto3 gives them.

    Args:
        client: any one. Where hooks or wrappers watch its requests, boto3 sends them.
        method: of the client: `put_object` or `upload_part`.
        arguments: of the method, but for the body.
        body: the bytes, or a file of them.
        length: of the body, in bytes.
        sha256: of the body.
    """
    try:
        requests = _of(client)
        is_direct = requests.are_direct(client, method)
    except (AttributeError, KeyError, TypeError):
        is_direct = False  # it is no client of botocore, or one of a botocore of another make
    if not is_direct:
        return _by_boto3(client, method, arguments, body)
    operation_name = client.meta.method_to_api_mapping[method]
    operation = client.meta.service_model.operation_model(operation_name)
    return requests.send(client, method, Call(operation, arguments, body, length, sha256))


def _by_boto3(
    client: "S3Client", method: str, arguments: Mapping[str, Any], body: Body
) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = getattr(client, method)(**arguments, Body=body)
    return answer


class _Pending(threading.local):
    """The request that this thread makes by boto3.

    Attributes:
        first: the outcome of its first attempt, if that was made already.
        sent: its attempts.
    """

    first: Any = None
    sent: list[Any] | None = None


@dataclass(slots=True, weakref_slot=True)
class _Requests:
    """The requests of one client, which it must not refer to: the client has a hook of it."""

    pending: _Pending = field(default_factory=_Pending)
    templates: dict[object, RequestTemplate] = field(default_factory=dict)
    tries: dict[object, int] = field(default_factory=dict)
    parts: dict[str, tuple[object, ...]] = field(default_factory=dict)
    direct: dict[str, bool] = field(default_factory=dict)
    connections: OpenConnections = field(default_factory=OpenConnections)

    def watch(self, client: "S3Client") -> None:
        events: Any = client.meta.events  # whose stubs know of no handler that answers
        for operation in _OPERATIONS:
            events.register(f"before-send.s3.{operation}", self._before_send)

    def are_direct(self, client: "S3Client", method: str) -> bool:
        parts = parts_of(client, method)
        known = self.parts.get(method, ())
        if len(known) != len(parts) or any(a is not b for a, b in zip(known, parts, strict=True)):
            self.direct[method] = is_plain(client, method)
            self.parts[method] = parts
            self.templates.clear()
            self.tries.clear()
        return self.direct[method] and not is_logged()

    def send(self, client: "S3Client", method: str, call: Call) -> Mapping[str, Any]:
        shape = call.shape
        template = self.templates.get(shape)
        if template is None:
            return self._by_boto3_watched(client, method, call)
        try:
            request = template.fill(
                call, _credentials(client), invocation=str(uuid4()), timestamp=_now()
            )
        except NotPlainError:
            return _by_boto3(client, method, call.arguments, call.body)
        try:
            outcome: Any = self._sent(client, request, template)
        except Exception as error:  # noqa: BLE001 - boto3 decides
            outcome = error
        else:
            answer = _answer_of(outcome, template)
            if answer is not None:
                _end(client, call, outcome, answer, request.context)
                return answer
        # The bucket may be in another region, which boto3 finds out and remembers.
        self.templates.pop(shape, None)
        return self._by_boto3_after(outcome, client, method, call)

    def _sent(self, client: "S3Client", request: Any, template: RequestTemplate) -> Any:  # noqa: ANN401 - of botocore
        session = _endpoint(client).http_session
        answer = None
        if isinstance(request.body, bytes):
            answer = self.connections.exchange(session, request, template.host, template.origin)
        return session.send(request) if answer is None else answer

    def _by_boto3_watched(self, client: "S3Client", method: str, call: Call) -> Mapping[str, Any]:
        """Send by boto3, and make a template of the request if one comes of it."""
        with self._watched() as sent:
            answer = _by_boto3(client, method, call.arguments, call.body)
        tries = self.tries.get(call.shape, 0)
        if len(sent) == 1 and tries < _MOST_TRIES:
            try:
                self.templates[call.shape] = RequestTemplate.of(sent[0], call, _credentials(client))
            except NotPlainError:
                self.tries[call.shape] = tries + 1
        return answer

    def _by_boto3_after(
        self, first: object, client: "S3Client", method: str, call: Call
    ) -> Mapping[str, Any]:
        """Send by boto3, whose first attempt had this outcome already."""
        if not isinstance(call.body, bytes | bytearray):
            call.body.seek(0)
        self.pending.first = first
        try:
            return _by_boto3(client, method, call.arguments, call.body)
        finally:
            self.pending.first = None

    @contextmanager
    def _watched(self) -> Iterator[list[Any]]:
        sent: list[Any] = []
        self.pending.sent = sent
        try:
            yield sent
        finally:
            self.pending.sent = None

    def _before_send(self, request: object, **_event: object) -> object:
        first, self.pending.first = self.pending.first, None
        if isinstance(first, Exception):
            raise first
        if self.pending.sent is not None:
            self.pending.sent.append(request)
        return first


_requests: "weakref.WeakKeyDictionary[S3Client, _Requests]" = weakref.WeakKeyDictionary()
_making = threading.Lock()


def _of(client: "S3Client") -> _Requests:
    requests = _requests.get(client)
    if requests is None:
        with _making:
            requests = _requests.get(client)
            if requests is None:
                requests = _Requests()
                requests.watch(client)
                _requests[client] = requests
    return requests


def _answer_of(response: Any, template: RequestTemplate) -> dict[str, Any] | None:  # noqa: ANN401 - of botocore
    """Return the headers of a plain success; None if it is anything else."""
    if response.status_code != _OK or response.content:
        return None
    names = template.answer_names
    answer = {
        names[name.lower()]: value
        for name, value in response.headers.items()
        if name.lower() in names
    }
    return answer if "ETag" in answer else None


def _end(
    client: "S3Client",
    call: Call,
    response: object,
    answer: dict[str, Any],
    context: dict[str, Any],
) -> None:
    # botocore counts successes: they allow it more retries.
    events: Any = client.meta.events
    events.emit(
        f"after-call.s3.{call.operation.name}",
        http_response=response,
        parsed=answer,
        model=call.operation,
        context=context,
    )


def _credentials(client: "S3Client") -> Any:  # noqa: ANN401 - botocore has no types
    signer: Any = client._request_signer  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public has the client's own
    credentials = signer._credentials  # noqa: SLF001 - the same
    if credentials is None:
        raise NotPlainError  # an anonymous client
    return credentials.get_frozen_credentials()


def _endpoint(client: "S3Client") -> Any:  # noqa: ANN401 - the same
    return client._endpoint  # type: ignore[attr-defined]  # noqa: SLF001 - the same


def _now() -> str:
    return strftime(SIGV4_TIMESTAMP, gmtime())
