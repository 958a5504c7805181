"""The services of docker-compose.yml as processes: their very commands, environments and checks."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from artifact_pipeline.worker.embedded.process import ManagedProcess
from tests.compose.compose_file import in_order
from tests.compose.database import ImagePostgres
from tests.compose.places import Places

# What an image runs where the file has no command.
_IMAGES_OWN = {"s3": ["python", "-m", "ministack"]}
_PATIENCE_SECONDS = 90
_INTERVAL_SECONDS = 1


class Container(ManagedProcess):
    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended. Raises: TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(seconds)


class Containers:
    """Args: `services` as the file has them, and the `places` that stand for the containers'."""

    def __init__(self, services: dict[str, Any], places: Places) -> None:
        self.services = services
        self.places = places
        self._running: dict[str, Container] = {}
        self._exit = ExitStack()

    @contextmanager
    def up(self) -> Iterator[None]:
        """As `docker compose up --wait`: each when what it waits for has come about."""
        with self._exit:
            for name in in_order(self.services):
                for other, wait in self.services[name].get("depends_on", {}).items():
                    self._await(other, wait["condition"])
                self._start(name)
            for name, service in self.services.items():
                if "healthcheck" in service:
                    self._await(name, "service_healthy")
            yield

    def run(self, name: str, *command: str) -> "subprocess.CompletedProcess[str]":
        """As `docker compose exec`: in the service's environment."""
        service = self.services[name]
        return subprocess.run(
            self.places.command(name, service, list(command)),
            env=self.environment(name),
            cwd=self.places.directory,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def environment(self, name: str) -> dict[str, str]:
        environment = self.places.environment(name, self.services[name])
        if name == "database":  # for pg_isready, which would ask the usual one
            environment["PGPORT"] = str(self.places.ports[name])
        return environment

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def stop(self, name: str, seconds: float) -> int:
        """SIGTERM to it alone, as Docker's init passes on. Returns: its exit status."""
        self._running[name].terminate()
        return self._running[name].wait(seconds)

    def is_healthy(self, name: str) -> bool:
        """By the service's own check."""
        how, *command = self.services[name]["healthcheck"]["test"]
        assert how in {"CMD", "CMD-SHELL"}
        if name == "broker":
            return self._broker_answers()
        return self.run(name, *command).returncode == 0

    def _broker_answers(self) -> bool:
        # There is no valkey-cli here; the password is that which it would take.
        password = self.environment("broker")["REDISCLI_AUTH"]
        try:
            with Redis(port=self.places.ports["broker"], password=password) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _looks_healthy(self, name: str) -> bool:
        """Check, and pause as Docker does: a check costs a third of what a service's start does."""
        is_healthy = self.is_healthy(name)
        if not is_healthy:
            time.sleep(_INTERVAL_SECONDS)
        return is_healthy

    def _start(self, name: str) -> None:
        if name == "database":
            self._start_database()
            return
        service = self.services[name]
        command = [*service.get("entrypoint", []), *service.get("command", _IMAGES_OWN.get(name))]
        if name == "broker":  # it would listen on its own port, on every address
            command += ["--bind", "127.0.0.1", "--port", str(self.places.ports[name])]
        self._running[name] = Container(
            name,
            self.places.command(name, service, command),
            env=self.environment(name),
            log=self.places.directory / f"{name}.log",
        )
        self._exit.push(self._running[name])
        self._running[name].start()

    def _start_database(self) -> None:
        port, environment = self.places.ports["database"], self.environment("database")
        self._exit.enter_context(ImagePostgres(port, environment))

    def _await(self, name: str, condition: str) -> None:
        if condition == "service_completed_successfully":
            container = self._running[name]
            assert container.wait(_PATIENCE_SECONDS) == 0, container.last_log_line()
        elif name in self._running:
            self._running[name].wait_until(lambda: self._looks_healthy(name), _PATIENCE_SECONDS)
        else:
            assert self.is_healthy(name)
