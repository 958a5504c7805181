"""A TCP proxy whose connections can be cut, slowed down or left hanging."""

import asyncio
import math
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

Upstream = tuple[str, int] | Path
"""An address of TCP or the path of a unix socket."""

_HOST = "127.0.0.1"
_CHUNK = 256 * 1024
_CHUNKS_UNDER_WAY = 64
_THROTTLE_SECONDS = 0.05
_BACKLOG = 128


@dataclass(frozen=True)
class _Conditions:
    delay: float = 0
    bytes_per_second: float | None = None
    half_open: bool = False


class TcpProxy:
    """Forwards every connection to its port; each method takes effect before it returns.

    What slows down (`delay`, `throttle`) and what hangs (`half_open`) may be combined.
    """

    def __init__(self, upstream: Upstream) -> None:
        self.port = 0
        self._upstream = upstream
        self._conditions = _Conditions()
        self._changed = asyncio.Event()
        self._links: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        # Bound and never listening, it keeps the port ours while connections are refused. Without
        # it somebody else could get it, or a client that tries again could connect to itself.
        self._holder = _bound_socket(0)
        self.port = self._holder.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{self.port}")
        self._thread.start()
        self._run(self._heal())
        return self

    def __exit__(self, *_error: object) -> None:
        self._run(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._holder.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._links)

    def cut(self) -> None:
        """Reset every open connection, on both sides."""
        self._run(self._cut())

    def refuse(self) -> None:
        """Reset every open connection, and refuse new ones until `heal`."""
        self._run(self._refuse())

    def delay(self, seconds: float) -> None:
        """Forward each chunk that much later."""
        self._run(self._set(replace(self._conditions, delay=seconds)))

    def throttle(self, bytes_per_second: float) -> None:
        """Forward no faster than that, in each direction of each connection."""
        self._run(self._set(replace(self._conditions, bytes_per_second=bytes_per_second)))

    def half_open(self) -> None:
        """Forward nothing any more, neither bytes nor an end; new connections hang as well."""
        self._run(self._set(replace(self._conditions, half_open=True)))

    def heal(self) -> None:
        """Forward as in the beginning; what was half open is reset, since its bytes are gone."""
        self._run(self._heal())

    def _run(self, action: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(action, self._loop).result()

    async def _cut(self) -> None:
        links = list(self._links)
        for link in links:
            link.cancel()
        if links:
            await asyncio.wait(links)

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        await self._cut()

    async def _heal(self) -> None:
        if self._conditions.half_open:
            await self._cut()
        await self._set(_Conditions())
        if self._listener is None:
            self._listener = _bound_socket(self.port)
            self._listener.listen(_BACKLOG)
            self._loop.add_reader(self._listener, self._accept, self._listener)

    async def _set(self, conditions: _Conditions) -> None:
        self._conditions = conditions
        self._changed.set()
        self._changed = asyncio.Event()

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # it is gone again
        client.settimeout(0)
        link = self._loop.create_task(self._serve(client))

        def end(link: asyncio.Task[None]) -> None:
            # Here and not in the task: one that is cancelled before it runs would close nothing.
            self._links.discard(link)
            client.close()

        _prepare(client)
        self._links.add(link)
        link.add_done_callback(end)

    async def _serve(self, client: socket.socket) -> None:
        with _connecting_socket(self._upstream) as upstream:
            _prepare(upstream)
            await self._when_due(-math.inf)
            try:
                await self._loop.sock_connect(upstream, _address(self._upstream))
                await self._forward(client, upstream)
            except* OSError:
                pass  # one side is gone without a word: so is the other

    async def _forward(self, client: socket.socket, upstream: socket.socket) -> None:
        async with asyncio.TaskGroup() as group:
            for source, target in ((client, upstream), (upstream, client)):
                chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_UNDER_WAY)
                group.create_task(self._receive(source, chunks))
                group.create_task(self._send(chunks, target))
        for side in (client, upstream):
            _set_linger(side, on=False)

    async def _receive(
        self, source: socket.socket, chunks: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        chunk = b"until the end"
        while chunk:
            chunk = await self._loop.sock_recv(source, _CHUNK)
            await chunks.put((self._loop.time(), chunk))

    async def _send(
        self, chunks: asyncio.Queue[tuple[float, bytes]], target: socket.socket
    ) -> None:
        while True:
            received_at, chunk = await chunks.get()
            await self._when_due(received_at)
            if not chunk:
                target.shutdown(socket.SHUT_WR)
                return
            await self._send_chunk(memoryview(chunk), received_at, target)

    async def _send_chunk(
        self, chunk: memoryview, received_at: float, target: socket.socket
    ) -> None:
        while chunk:
            await self._when_due(received_at)
            rate = self._conditions.bytes_per_second
            piece = chunk if rate is None else chunk[: max(1, int(rate * _THROTTLE_SECONDS))]
            await self._loop.sock_sendall(target, piece)
            chunk = chunk[len(piece) :]
            if rate is not None:
                await self._wait_for_change(len(piece) / rate)

    async def _when_due(self, received_at: float) -> None:
        """Return when what came then may go on, under conditions that may change meanwhile."""
        while True:
            conditions = self._conditions
            seconds = received_at + conditions.delay - self._loop.time()
            if not conditions.half_open and seconds <= 0:
                return
            await self._wait_for_change(None if conditions.half_open else seconds)

    async def _wait_for_change(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()


def _bound_socket(port: int) -> socket.socket:
    bound = socket.socket()
    bound.settimeout(0)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((_HOST, port))
    return bound


def _connecting_socket(upstream: Upstream) -> socket.socket:
    family = socket.AF_UNIX if isinstance(upstream, Path) else socket.AF_INET
    connecting = socket.socket(family)
    connecting.settimeout(0)
    return connecting


def _address(upstream: Upstream) -> tuple[str, int] | str:
    return str(upstream) if isinstance(upstream, Path) else upstream


def _prepare(side: socket.socket) -> None:
    if side.family is socket.AF_INET:
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _set_linger(side, on=True)  # until both sides have ended in order, closing means a reset


def _set_linger(side: socket.socket, *, on: bool) -> None:
    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(on), 0))
