"""HTTP/1.1 as far as a proxy needs it: heads are read, bodies only measured."""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Self

Sink = Callable[[bytes | memoryview], object]
"""Takes the bytes of a body, which it may not keep: the memory is used again."""

_BUFFER = 512 * 1024
_LONGEST_LINE = 64 * 1024
_BODILESS = {204, 304}


@dataclass(frozen=True)
class Head:
    """The lines of a request or an answer before its body, byte for byte as they came."""

    raw: bytes

    @cached_property
    def start(self) -> list[str]:
        """The three parts of the first line."""
        return self.raw.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)

    @cached_property
    def headers(self) -> dict[str, str]:
        """By name in lower case."""
        lines = self.raw.decode("latin-1").split("\r\n")[1:]
        pairs = (line.split(":", 1) for line in lines if line)
        return {name.lower(): value.strip() for name, value in pairs}

    def without(self, header: str) -> "Head":
        name = header.encode().lower() + b":"
        lines = self.raw.splitlines(keepends=True)
        return Head(b"".join(line for line in lines if not line.lower().startswith(name)))


@dataclass(frozen=True)
class Framing:
    """How the end of a body is found: by its size, by its chunks, or else by the connection's."""

    size: int | None
    is_chunked: bool = False

    @classmethod
    def of_request(cls, head: Head) -> "Framing":
        return cls._declared(head, otherwise=0)

    @classmethod
    def of_answer(cls, head: Head, method: str) -> "Framing":
        if method == "HEAD" or int(head.start[1]) in _BODILESS:
            return cls(0)
        return cls._declared(head, otherwise=None)

    @classmethod
    def _declared(cls, head: Head, otherwise: int | None) -> "Framing":
        if "chunked" in head.headers.get("transfer-encoding", "").lower():
            return cls(None, is_chunked=True)
        size = head.headers.get("content-length")
        return cls(otherwise if size is None else int(size))


class Peer:
    """A connection; when its `with` ends with an exception it is reset, and closed otherwise."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self._reader = connection.makefile("rb")
        self._buffer = memoryview(bytearray(_BUFFER))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            no_lingering = struct.pack("ii", 1, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_lingering)
        self._reader.close()
        self._socket.close()

    def send(self, data: bytes | memoryview) -> None:
        self._socket.sendall(data)

    def read_head(self) -> Head | None:
        """The next one; None once the connection is closed in order."""
        raw = self._reader.readline(_LONGEST_LINE)
        if not raw:
            return None
        while not raw.endswith(b"\r\n\r\n"):
            raw += self._line()
        return Head(raw)

    def copy_body(self, framing: Framing, sink: Sink) -> None:
        """Read it to its end; of a chunked one the sizes between the chunks as well."""
        if framing.is_chunked:
            self._copy_chunks(sink)
        elif framing.size is None:
            self.copy_rest(sink)
        else:
            self.copy(framing.size, sink)

    def copy(self, size: int, sink: Sink) -> None:
        """Read exactly that many bytes.

        Raises:
            ConnectionAbortedError: there are fewer.
        """
        while size:
            size -= self._copy_some(min(size, _BUFFER), sink)

    def copy_rest(self, sink: Sink) -> None:
        """Read until the other side closes."""
        try:
            while True:
                self._copy_some(_BUFFER, sink)
        except ConnectionAbortedError:
            return

    def end(self) -> None:
        """Say nothing more, and read what the other side still sends.

        Closing at once would reset the connection, and what we said last might be lost.
        """
        self._socket.shutdown(socket.SHUT_WR)
        self.copy_rest(discard)

    def _copy_some(self, most: int, sink: Sink) -> int:
        count = self._reader.readinto1(self._buffer[:most])
        if not count:
            raise ConnectionAbortedError("closed within a message")
        sink(self._buffer[:count])
        return count

    def _copy_chunks(self, sink: Sink) -> None:
        size = -1
        while size:
            line = self._line()
            sink(line)
            size = int(line.split(b";")[0], 16)
            if size:
                self.copy(size + len(b"\r\n"), sink)
        while line != b"\r\n":
            line = self._line()  # the trailers, and an empty one
            sink(line)

    def _line(self) -> bytes:
        line = self._reader.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionAbortedError("closed within a message")
        return line


def discard(_data: bytes | memoryview) -> None:
    """A sink that keeps nothing."""
