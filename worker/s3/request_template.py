"""Requests that are made from one that botocore has sent.

botocore takes a millisecond to make a request out of arguments. Requests with arguments of the same
names differ only in the values, which go into headers, the path and the query as they are.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import UNSIGNED_PAYLOAD
from botocore.awsrequest import AWSPreparedRequest
from botocore.utils import percent_encode_sequence

from artifact_pipeline.worker.s3.signing import Scope, UnsignedRequest, host_of, sign
from artifact_pipeline.worker.s3.upload_parts import Body, FileBody

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.~-][A-Za-z0-9_.~/-]*")
"""Keys that a URL has as they are."""

_EXPECT_ABOVE = 64 * 1024
"""Smaller bodies are sent at once: to ask first costs a round trip, and the socket takes them."""

_STATIC = {"user-agent", "expect"}
_BY_SIGNER = {"x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "authorization"}
_INVOCATION, _ATTEMPT, _LENGTH = "amz-sdk-invocation-id", "amz-sdk-request", "content-length"
_FIRST_ATTEMPT = re.compile(r"attempt=1(; max=\d+)?")
_FORMS = 64
"""Combinations of arguments whose places are kept."""
_SCOPE = {"region", "signing_name"}
_SIGNING = {*_SCOPE, "disableDoubleEncoding"}


class NotPlainError(Exception):
    """Only botocore can make the request."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        arguments: of the client's method, without the body.
        sha256: of the body.
    """

    operation: Any
    arguments: Mapping[str, Any]
    body: Body
    length: int
    sha256: bytes

    @property
    def shape(self) -> tuple[object, ...]:
        """What two requests of one template have in common."""
        metadata = tuple(self.arguments.get("Metadata", ()))
        return self.operation.name, self.arguments["Bucket"], (*self.arguments,), metadata

    def headers(self) -> dict[str, str]:
        """Return the headers that are arguments. Raises: NotPlainError."""
        return dict(map(_plain, self._located("header")))

    def query(self) -> dict[str, str]:
        """Return the parameters of the query that are arguments."""
        return {name: str(value) for name, value in self._located("querystring")}

    @property
    def key(self) -> str:
        """Return the key. Raises: NotPlainError: the URL has another form of it."""
        key = self.arguments["Key"]
        if not _PLAIN_KEY.fullmatch(key):
            raise NotPlainError
        return str(key)

    def _located(self, wanted: str) -> Iterator[tuple[str, Any]]:
        for argument, location, name in _places(self.operation, tuple(self.arguments)):
            if location == wanted:
                yield name, self.arguments[argument]
            elif location == "headers" and wanted == "header":  # the metadata
                yield from (
                    (f"{name}{key}", each) for key, each in self.arguments[argument].items()
                )


@lru_cache(_FORMS)
def _places(operation: Any, arguments: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:  # noqa: ANN401 - botocore has no types
    """Return each argument with its location in the request, and its name there."""
    members = operation.input_shape.members
    serialized = {argument: members[argument].serialization for argument in arguments}
    return tuple(
        (argument, where["location"], where["name"])
        for argument, where in serialized.items()
        if "location" in where
    )


def _plain(header: tuple[str, object]) -> tuple[str, str]:
    name, value = header
    if not isinstance(value, str) or not value or not (name + value).isascii():
        raise NotPlainError
    if not value.isprintable() or value != value.strip():
        raise NotPlainError
    return name, value


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """The part of requests that is the same in all of them.

    Attributes:
        origin: the URL up to the path.
        path: from there up to the key.
        header_names: in the order in which botocore sends them, up to those that are signed last.
        static: headers that are no arguments.
        attempt: the header that counts the attempts, of a first one.
        is_signed_whole: whether the signature has the digest of the body.
        context: what botocore's handlers look at.
        answer_names: by which boto3 gives the headers of the answer, in lower case.
    """

    method: str
    origin: str
    path: str
    host: str
    query_names: tuple[str, ...]
    header_names: tuple[str, ...]
    static: Mapping[str, str]
    attempt: str
    is_signed_whole: bool
    context: Mapping[str, Any]
    answer_names: Mapping[str, str]

    @classmethod
    def of(cls, sent: Any, call: Call, credentials: Any) -> Self:  # noqa: ANN401 - botocore has no types
        """Return the template of a request that botocore has sent for this call.

        Raises:
            NotPlainError: the same request does not come out of it, to the last byte of its
                signature. Some setting, or another botocore, adds what is not known here.
        """
        sent_headers = {name: _text(value) for name, value in sent.headers.items()}
        template = cls._parse(sent, sent_headers, call)
        lower = {name.lower(): value for name, value in sent_headers.items()}
        made = template.fill(
            call, credentials, invocation=lower[_INVOCATION], timestamp=lower["x-amz-date"]
        )
        made_headers = {name.lower(): _text(value) for name, value in made.headers.items()}
        if "expect" in lower:
            made_headers.setdefault("expect", lower["expect"])
        if (made.method, made.url, made_headers) != (sent.method, sent.url, lower):
            raise NotPlainError
        return template

    @classmethod
    def _parse(cls, sent: Any, headers: Mapping[str, str], call: Call) -> Self:  # noqa: ANN401
        signing = sent.context.get("signing", {})
        attempt = next((headers[name] for name in headers if name.lower() == _ATTEMPT), "")
        if sent.context.get("auth_type") != "s3v4" or not _SCOPE <= signing.keys() <= _SIGNING:
            raise NotPlainError
        if not _FIRST_ATTEMPT.fullmatch(attempt) or "x-amz-date" not in map(str.lower, headers):
            raise NotPlainError
        later = {*_BY_SIGNER, _INVOCATION, _ATTEMPT, _LENGTH}
        url = urlsplit(sent.url)
        return cls(
            method=sent.method,
            origin=f"{url.scheme}://{url.netloc}",
            path=url.path.removesuffix(call.key),
            host=host_of(sent.url),
            query_names=tuple(name for name, _ in parse_qsl(url.query)),
            header_names=tuple(name for name in headers if name.lower() not in later),
            static={name: headers[name] for name in headers if name.lower() in _STATIC},
            attempt=attempt,
            is_signed_whole=UNSIGNED_PAYLOAD not in headers.values(),
            context={
                name: sent.context[name]
                for name in ("client_config", "has_streaming_input", "signing", "auth_type")
                if name in sent.context
            },
            answer_names={
                shape.serialization["name"].lower(): name
                for name, shape in call.operation.output_shape.members.items()
                if shape.serialization.get("location") == "header" and shape.type_name == "string"
            },
        )

    def fill(
        self,
        call: Call,
        credentials: Any,  # noqa: ANN401 - botocore has no types
        *,
        invocation: str,
        timestamp: str,
    ) -> Any:  # noqa: ANN401 - the same
        """Return the signed request of a call. Raises: NotPlainError: it has other headers."""
        values = {**self.static, **call.headers()}
        if values.keys() != set(self.header_names):
            raise NotPlainError
        context = {**self.context, "timestamp": timestamp}
        headers: dict[str, Any] = {name: values[name] for name in self.header_names}
        path, query = f"{self.path}{call.key}", self._query(call)
        payload = call.sha256.hex() if self.is_signed_whole else UNSIGNED_PAYLOAD
        request = UnsignedRequest(self.method, path, query, self.host, headers, payload)
        signing = self.context["signing"]
        sign(request, credentials, Scope(timestamp, signing["region"], signing["signing_name"]))
        headers["amz-sdk-invocation-id"] = invocation
        headers["amz-sdk-request"] = self.attempt
        headers["Content-Length"] = str(call.length)
        if "Expect" in headers:
            # Bytes, or the connection would not wait for the answer.
            headers["Expect"] = headers["Expect"].encode()
            if call.length <= _EXPECT_ABOVE:
                del headers["Expect"]
        # Pieces share one buffer; `read` would make new bytes of each.
        body = call.body.pieces() if isinstance(call.body, FileBody) else call.body
        prepare: Any = AWSPreparedRequest  # whose stubs lack the context
        url = f"{self.origin}{path}?{query}" if query else f"{self.origin}{path}"
        return prepare(self.method, url, headers, body, stream_output=False, context=context)

    def _query(self, call: Call) -> str:
        if not self.query_names:
            return ""
        query = call.query()
        if query.keys() != set(self.query_names):
            raise NotPlainError
        in_order = {name: query[name] for name in self.query_names}
        return str(percent_encode_sequence(in_order))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
