"""A proxy before PostgreSQL that loses just one commit, or just its answer."""

import socket
import threading
from contextlib import ExitStack, suppress
from enum import Enum
from pathlib import Path
from typing import Self

_CHUNK = 64 * 1024
_RECORDS = b"INSERT INTO artifacts"
_COMMIT = b"COMMIT\0"
_OF_A_PAGE = b"WITH "
"""A record of a page is one statement, which commits itself."""


class Loss(Enum):
    COMMIT = "it never arrives"
    ANSWER = "it is done, and nobody hears of it"


class LossyCommits:
    """Forwards everything but the first commit of a record of an artifact, or its answer.

    Both sides of that connection are closed there.
    """

    def __init__(self, server: Path, loss: Loss) -> None:
        self.lost = threading.Event()
        self._server = server
        self._loss = loss
        self._ended = ExitStack()

    def __enter__(self) -> Self:
        self._listener = self._ended.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._thread.join()
        self._ended.close()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._ended.enter_context(self._listener.accept()[0])
                server = self._ended.enter_context(socket.socket(socket.AF_UNIX))
                server.connect(str(self._server))
                link = _Link(self, client, server)
                for forward in (link.requests, link.answers):
                    threading.Thread(target=forward, daemon=True).start()

    def loses(self, chunk: bytes) -> bool:
        """Whether this chunk, from a connection that records an artifact, is the one."""
        is_page = _RECORDS in chunk and _OF_A_PAGE in chunk
        return (_COMMIT in chunk or is_page) and not self.lost.is_set()

    @property
    def loses_answer(self) -> bool:
        return self._loss is Loss.ANSWER


class _Link:
    """One connection, in both directions, each on a thread of its own."""

    def __init__(self, proxy: LossyCommits, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._records = False
        self._discards = False

    def requests(self) -> None:
        with suppress(OSError):
            while chunk := self._client.recv(_CHUNK):
                self._records = self._records or _RECORDS in chunk
                if self._records and self._proxy.loses(chunk):
                    self._discards = True
                    if not self._proxy.loses_answer:
                        break
                self._server.sendall(chunk)
        self._end()

    def answers(self) -> None:
        with suppress(OSError):
            while chunk := self._server.recv(_CHUNK):
                if self._discards:
                    break
                self._client.sendall(chunk)
        self._end()

    def _end(self) -> None:
        if self._discards:
            self._proxy.lost.set()
        for side in (self._client, self._server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
