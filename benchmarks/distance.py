"""Servers that are some milliseconds away, through proxies in separate processes.

python -m benchmarks.distance MILLISECONDS HOST:PORT|SOCKET
"""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url

from artifact_pipeline.worker.embedded import lifeline
from benchmarks.deployment import Deployment
from tests.faults.proxy import TcpProxy, Upstream

_HOST = "127.0.0.1"


@contextmanager
def distant(
    made: Deployment, *, s3: float = 0, broker: float = 0, sql: float = 0
) -> Iterator[dict[str, str]]:
    """Return the environment of workers whose round trips take so many milliseconds longer."""
    with ExitStack() as proxies:

        def port_of(milliseconds: float, upstream: str) -> int:
            return proxies.enter_context(_proxy(milliseconds, upstream))

        environment = {}
        if s3:
            port = port_of(s3, urlsplit(made.stack.s3.url).netloc)
            environment["ARTIFACTS_S3_ENDPOINT_URL"] = f"http://{_HOST}:{port}"
        if broker:
            port = port_of(broker, urlsplit(made.stack.broker.url).netloc)
            environment |= _of_broker(made.environment, port)
        if sql:
            url = make_url(made.stack.database_url)
            port = port_of(sql, str(_socket_in(Path(str(url.query["host"])))))
            near = url.set(host=_HOST, port=port, query={}, username=url.username or "postgres")
            environment["ARTIFACTS_DATABASE_URL"] = near.render_as_string(hide_password=False)
        yield environment


def _of_broker(environment: Mapping[str, str], port: int) -> dict[str, str]:
    names = ("ARTIFACTS_BROKER_URL", "NAIVE_BROKER_URL")
    urls = {name: urlsplit(environment[name]) for name in names}
    return {name: url._replace(netloc=f"{_HOST}:{port}").geturl() for name, url in urls.items()}


def _socket_in(directory: Path) -> Path:
    [socket] = [path for path in directory.glob(".s.PGSQL.*") if path.is_socket()]
    return socket


@contextmanager
def _proxy(milliseconds: float, upstream: str) -> Iterator[int]:
    # In this process it would share an interpreter's lock with the producer.
    command = [sys.executable, "-m", "benchmarks.distance", str(milliseconds), upstream]
    with lifeline.start(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            # The context waits for its end.
            process.kill()


def _upstream(text: str) -> Upstream:
    if text.startswith("/"):
        return Path(text)
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    with TcpProxy(_upstream(sys.argv[2])) as proxy:
        proxy.delay(float(sys.argv[1]) / 2 / 1000)  # in each direction
        print(proxy.port, flush=True)
        threading.Event().wait()
