"""A master, its replica and three sentinels: Debian's Redis, as deployments run it."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError, ResponseError
from redis.sentinel import MasterNotFoundError, Sentinel

from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.worker.embedded.servers import RedisProcess, kept_port
from tests.deployments.programs import program
from tests.deployments.redis_server import RedisServer, client_tls, tls_lines
from tests.deployments.tls import Authority

MASTER_NAME = "mymaster"
# Sentinels ping once a second. With as little patience as that, they often take a master that they
# have just promoted for dead, and go back to the one before, which lacks the messages since.
_DOWN_MILLISECONDS = 3_000
_FAILOVER_MILLISECONDS = 4_000
_SECONDS = 60


class SentinelServer(RedisProcess):
    """A redis-sentinel on a port of the loopback address."""

    def __init__(
        self,
        directory: Path,
        master_port: int,
        *,
        quorum: int = 2,
        authority: Authority | None = None,
    ) -> None:
        binary = program("redis-sentinel")
        directory.mkdir(parents=True, exist_ok=True)
        self.port = kept_port(self)
        path = directory / "sentinel.conf"
        self._tls = client_tls(authority)
        lines = tls_lines(self.port, f"sentinel-{self.port}", authority)
        path.write_text(
            "".join(" ".join(line) + "\n" for line in (("port", str(self.port)), *lines))
            + f"bind 127.0.0.1\ndir {directory}\nprotected-mode no\n"
            f"sentinel monitor {MASTER_NAME} 127.0.0.1 {master_port} {quorum}\n"
            f"sentinel down-after-milliseconds {MASTER_NAME} {_DOWN_MILLISECONDS}\n"
            f"sentinel failover-timeout {MASTER_NAME} {_FAILOVER_MILLISECONDS}\n"
        )
        super().__init__(
            "sentinel", [binary, str(path)], env=os.environ, log=directory / "sentinel.log"
        )

    def client(self) -> Redis:
        return Redis(host="127.0.0.1", port=self.port, socket_timeout=2, **self._tls)


class SentinelGroup:
    """Two servers, and the sentinels that make one the master; `with` starts all.

    Args:
        directory: for all they keep.
        authority: of their certificates; with one they speak nothing but TLS.
    """

    def __init__(self, directory: Path, authority: Authority | None = None) -> None:
        self._exit = ExitStack()
        self._asking = {"socket_timeout": 2, **client_tls(authority)}
        self.servers = [
            RedisServer(directory / f"redis{number}", authority=authority) for number in range(2)
        ]
        master = self.servers[0].port
        self.sentinels = [
            SentinelServer(directory / f"sentinel{number}", master, authority=authority)
            for number in range(3)
        ]
        scheme = "sentinels" if authority else "sentinel"
        urls = [f"{scheme}://127.0.0.1:{sentinel.port}/0" for sentinel in self.sentinels]
        self.broker = Broker(
            url=";".join(urls),
            master_name=MASTER_NAME,
            ca_file=str(authority.file) if authority else None,
        )
        self._frozen: list[RedisServer] = []

    def __enter__(self) -> Self:
        with ExitStack() as started:
            for process in (*self.servers, *self.sentinels):
                started.enter_context(process)
            with self.servers[1].client() as client:
                client.replicaof("127.0.0.1", str(self.servers[0].port))
            self._exit = started.pop_all()
        try:
            self.wait_until_safe()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.heal(wait=False)
        self._exit.close()

    def master(self) -> RedisServer:
        """Return the server that the sentinels call the master."""
        addresses = [("127.0.0.1", each.port) for each in self.sentinels]
        group: Any = Sentinel(addresses, sentinel_kwargs=self._asking)  # type: ignore[no-untyped-call]
        _, port = group.discover_master(MASTER_NAME)
        return next(server for server in self.servers if server.port == port)

    def master_client(self) -> Redis:
        """Return a client of the master, once there is one."""
        self._wait(lambda: self.master().is_running)
        return self.master().client()

    def kill_master(self) -> None:
        """Kill the master, and start it again when the other one has taken over."""
        self._take_over_from(lambda master: master.kill())

    def freeze_master(self) -> None:
        """Stop the master's process without its end, until `heal`."""
        self.wait_until_safe()
        master = self.master()
        os.kill(master.pid, signal.SIGSTOP)
        self._frozen.append(master)

    def fail_over(self) -> None:
        """Have the sentinels make the replica the master, as for an upgrade."""

        def ask(_master: RedisServer) -> None:
            with self.sentinels[0].client() as client, suppress(ResponseError):
                client.execute_command("SENTINEL", "FAILOVER", MASTER_NAME)

        self._take_over_from(ask)

    def kill_sentinel(self) -> None:
        """Kill one of the three, until `heal`."""
        self.sentinels[-1].kill()

    def heal(self, *, wait: bool = True) -> None:
        for frozen in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(frozen.pid, signal.SIGCONT)
        self._frozen.clear()
        if wait:
            for process in (*self.servers, *self.sentinels):
                if not process.is_running:
                    process.start()

    def wait_until_safe(self) -> None:
        """Wait until the replica follows the master, and all sentinels know both."""
        self._wait(self._is_safe)

    def _take_over_from(self, end: Callable[[RedisServer], object]) -> None:
        self.wait_until_safe()
        before = self.master()
        end(before)
        self._wait(lambda: self.master() is not before)
        self.heal()

    def _is_safe(self) -> bool:
        master = self.master()
        with master.client() as client:
            information = client.info("replication")
        states = []
        for sentinel in self.sentinels:
            with sentinel.client() as client:
                states.append(client.sentinel_master(MASTER_NAME))
        return (
            information["role"] == "master"
            and information.get("slave0", {}).get("state") == "online"
            and all(
                state["num-slaves"] >= 1 and state["num-other-sentinels"] == len(states) - 1
                for state in states
            )
        )

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while True:
            with suppress(RedisError, MasterNotFoundError, OSError, StopIteration, KeyError):
                if condition():
                    return
            if time.monotonic() > deadline:
                raise TimeoutError("the sentinels have made no master")
            time.sleep(0.1)
