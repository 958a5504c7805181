"""An HTTP server that keeps what it is sent, and answers what it is told to."""

import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Recorded:
    """A request. The names of its headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Said:
    """An answer. With status 0 the connection ends instead."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


STORED = Said(headers={"ETag": '"etag"', "x-amz-version-id": "v1"})
LOST = Said(0)


@dataclass
class RecordingServer:
    """Attributes: `answers` to the next requests; afterwards each write is stored."""

    port: int = 0
    seen: list[Recorded] = field(default_factory=list)
    answers: deque[Said] = field(default_factory=deque)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def taken(self) -> list[Recorded]:
        """Return the requests since the last call."""
        taken, self.seen[:] = self.seen[:], []
        return taken

    def answer(self, request: Recorded) -> Said:
        self.seen.append(request)
        return self.answers.popleft() if self.answers else STORED


@contextmanager
def recording(certificate: tuple[str, str] | None = None) -> Iterator[RecordingServer]:
    """Yield a server on a free port. Args: the files of a certificate and its key, for TLS."""
    recorder = RecordingServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(recorder)) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        recorder.port = server.server_port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()


def _handler_of(recorder: RecordingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = recorder.answer(Recorded(self.command, self.path, headers, body))
            if not said.status:
                self.close_connection = True
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said.body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815 - as it is called

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
            """Leave the output to the tests."""

    return Handler
