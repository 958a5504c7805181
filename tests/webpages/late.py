"""Pages of which one file comes late."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass
class Late:
    """An application that holds one file back. Attributes: `asked` paths, in their order."""

    app: ASGIApp
    file: str
    seconds: float
    url: str
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        self.asked.append(path)
        if path.endswith(self.file):
            await asyncio.sleep(self.seconds)
        await self.app(scope, receive, send)


@contextmanager
def late(app: ASGIApp, file: str, seconds: float) -> Iterator[Late]:
    """Serve the application, with one file that comes so many seconds late."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served = Late(app, file, seconds, f"http://127.0.0.1:{listening.getsockname()[1]}")
        config = uvicorn.Config(
            served, log_config=None, lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield served
        finally:
            server.should_exit = True
            thread.join()
