"""Serves the application by uvicorn, until a signal."""

import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from artifact_pipeline.domain.errors import ConfigurationError

_ENDED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_SECONDS = 10
"""How long requests that are under way may take to end."""
_CONNECTIONS = 1_000


@dataclass(frozen=True, slots=True)
class Listening:
    """An open socket."""

    socket: socket.socket
    host: str

    @property
    def address(self) -> str:
        """Return host and port, as URLs have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.socket.getsockname()[1]}"


@contextmanager
def bound(host: str, port: int) -> Iterator[Listening]:
    """Listen, before anything says so.

    Raises:
        ConfigurationError: it cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        opened = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"--host {host} --port {port}: {error.strerror or error}. Give another one"
        ) from error
    with opened:
        yield Listening(opened, host)


def serve(
    app: ASGIApp, listening: Listening, *, root_path: str, stopping: Callable[[], None]
) -> None:
    """Serve until a signal; then end what is under way.

    Args:
        app: the application.
        listening: where.
        root_path: at which a proxy serves it.
        stopping: called at the signal, to end answers that never end by themselves.
    """
    config = uvicorn.Config(
        app,
        root_path=root_path,
        log_config=None,
        # A path may name a file, and a query a search: the audit trail has what was done.
        access_log=False,
        server_header=False,
        # The peer decides whether a proxy is trusted, so no header may replace it.
        proxy_headers=False,
        ws="none",
        lifespan="on",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    # What is loaded by now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    _Server(config, stopping).run(sockets=[listening.socket])


class _Server(uvicorn.Server):
    """Ends with the exit status 0 at a signal, and leaves the handlers as they were."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {each: signal.signal(each, self.handle_exit) for each in _ENDED_BY}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
