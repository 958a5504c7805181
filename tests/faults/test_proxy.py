"""The proxy that the tests of broken networks rely on."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from artifact_pipeline.worker.embedded.servers import free_port
from tests.faults.proxy import TcpProxy

_PATIENCE_SECONDS = 10
_MOMENT_SECONDS = 0.1
"""For what is not to happen at all, and could at once."""


class Echo:
    """Sends back what it gets, and remembers how its connections ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._threads = [threading.Thread(target=self._accept)]
        self.ends: list[str] = []
        self.ended = threading.Event()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would not wake the thread
        self._listener.close()
        for thread in self._threads:
            thread.join()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()
        return host, port

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                thread.start()
                self._threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while chunk := connection.recv(65536):
                    connection.sendall(chunk)
                self.ends.append("closed")
            except ConnectionError:
                self.ends.append("reset")
        self.ended.set()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo(socket.create_server(("127.0.0.1", 0))) as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy(echo.address) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: TcpProxy) -> Iterator[socket.socket]:
    """A connection through the proxy, in use."""
    with connected(proxy) as client:
        assert answer_to(client, b"first") == b"first"
        yield client


def connected(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), _PATIENCE_SECONDS)


def answer_to(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return received(client, len(data))


def received(client: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = client.recv(size - len(data))
        assert chunk, "closed"
        data += chunk
    return bytes(data)


def test_bytes_and_the_end_of_a_connection_are_forwarded(
    echo: Echo, proxy: TcpProxy, client: socket.socket
) -> None:
    # Given / When
    assert proxy.connections == 1
    client.shutdown(socket.SHUT_WR)
    # Then
    assert client.recv(1) == b""
    assert echo.ended.wait(_PATIENCE_SECONDS)
    assert echo.ends == ["closed"]


def test_many_bytes_arrive_in_order(client: socket.socket) -> None:
    # Given more than all buffers hold together
    content = bytes(range(256)) * 2**18
    sender = threading.Thread(target=client.sendall, args=(content,))
    # When
    sender.start()
    # Then
    assert received(client, len(content)) == content
    sender.join()


def test_a_cut_resets_both_sides_and_nothing_else(
    echo: Echo, proxy: TcpProxy, client: socket.socket
) -> None:
    # When
    proxy.cut()
    # Then
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert echo.ended.wait(_PATIENCE_SECONDS)
    assert echo.ends == ["reset"]
    with connected(proxy) as other:
        assert answer_to(other, b"again") == b"again"


def test_connections_are_refused_until_it_heals(proxy: TcpProxy, client: socket.socket) -> None:
    # When
    proxy.refuse()
    # Then
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    assert proxy.connections == 0
    # When / Then
    proxy.heal()
    with connected(proxy) as other:
        assert answer_to(other, b"again") == b"again"


def test_a_half_open_connection_says_nothing_until_it_heals(
    echo: Echo, proxy: TcpProxy, client: socket.socket
) -> None:
    # Given
    proxy.half_open()
    # When
    client.sendall(b"lost")
    client.shutdown(socket.SHUT_WR)
    # Then
    client.settimeout(_MOMENT_SECONDS)
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert not echo.ends
    # When / Then
    client.settimeout(_PATIENCE_SECONDS)
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_connection_made_while_half_open_hangs_and_is_reset(proxy: TcpProxy) -> None:
    # Given
    proxy.half_open()
    with connected(proxy) as client:
        client.sendall(b"lost")
        client.settimeout(_MOMENT_SECONDS)
        with pytest.raises(TimeoutError):
            client.recv(1)
        # When
        proxy.cut()
        # Then
        with pytest.raises(ConnectionResetError):
            client.recv(1)


@pytest.mark.parametrize(("slow", "at_once"), [("delay", b""), ("throttle", b"s")])
def test_what_is_slow_arrives_when_it_heals(
    proxy: TcpProxy, client: socket.socket, slow: str, at_once: bytes
) -> None:
    # Given an hour for every chunk, or for every byte after the first
    proxy.delay(3600) if slow == "delay" else proxy.throttle(1 / 3600)
    # When
    client.sendall(b"slow")
    # Then
    assert received(client, len(at_once)) == at_once
    client.settimeout(_MOMENT_SECONDS)
    with pytest.raises(TimeoutError):
        client.recv(1)
    # When / Then
    client.settimeout(_PATIENCE_SECONDS)
    proxy.heal()
    assert at_once + received(client, 4 - len(at_once)) == b"slow"


def test_slow_bytes_arrive(proxy: TcpProxy, client: socket.socket) -> None:
    # Given
    proxy.delay(0.05)
    proxy.throttle(100_000)
    # When / Then
    content = bytes(10_000)
    assert answer_to(client, content) == content


def test_a_client_is_reset_when_upstream_refuses() -> None:
    with (
        TcpProxy(("127.0.0.1", free_port())) as proxy,
        # The reset may come before the connection is even known to stand.
        pytest.raises(ConnectionResetError),
        connected(proxy) as client,
    ):
        client.recv(1)


def test_a_unix_socket_may_be_upstream(tmp_path: Path) -> None:
    # Given
    path = tmp_path / "echo.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    # When / Then
    with Echo(listener), TcpProxy(path) as proxy, connected(proxy) as client:
        assert answer_to(client, b"first") == b"first"


def test_it_leaves_neither_thread_nor_connection(echo: Echo) -> None:
    # Given
    with TcpProxy(echo.address) as proxy:
        threads = threading.active_count()
        client = connected(proxy)
        assert answer_to(client, b"first") == b"first"
        proxy.half_open()
    # Then
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)
    assert echo.ended.wait(_PATIENCE_SECONDS)
    assert threading.active_count() <= threads
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
