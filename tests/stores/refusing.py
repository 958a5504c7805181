"""A front before an S3 server that refuses some requests as another store would."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.s3_proxy import FaultyS3
from tests.faults.s3_request import Request
from tests.faults.wire import Framing, Head, Peer, discard

_TEMPLATE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Error><Code>{code}</Code><Message>{message}</Message></Error>"
)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An answer in the place of the store's, to each request that `when` is true of."""

    when: Callable[[Request], bool]
    status: int
    code: str
    message: str = ""


class RefusingS3(FaultyS3):
    """Forwards what no refusal is for."""

    def __init__(self, upstream_port: int) -> None:
        super().__init__(upstream_port)
        self.refusals: list[Refusal] = []

    def _answer(self, client: Peer, head: Head) -> bool:
        request = Request.of(head)
        refusal = next((each for each in self.refusals if each.when(request)), None)
        if refusal is None:
            return super()._answer(client, head)
        self._count(request)
        if "expect" not in head.headers:
            client.copy_body(Framing.of_request(head), discard)
        body = _TEMPLATE.format(code=refusal.code, message=refusal.message).encode()
        answer = (
            f"HTTP/1.1 {refusal.status} Refused\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        client.send(answer.encode() + (b"" if request.method == "HEAD" else body))
        client.end()
        return False


def asks_for(header: str) -> Callable[[Request], bool]:
    """Return whether a request has the header."""
    return lambda request: header in request.headers


def is_operation(name: str) -> Callable[[Request], bool]:
    """Return whether a request is of the operation."""
    return lambda request: request.operation == name
