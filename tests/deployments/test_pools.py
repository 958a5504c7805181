"""Celery's pools: a worker has one that does transfers, or says at its start which to use."""

import ast
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.concurrency import prefork, thread
from celery.concurrency.base import BasePool

from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.worker.embedded.servers import Ministack, Valkey
from artifact_pipeline.worker.lifecycle.pools import refusal_of
from tests.deployments.environments import Environment
from tests.image import ROOT

_PATIENCE_SECONDS = 60
_REMOVED = {"poll", "epoll", "kqueue", "kevent", "devpoll"}
"""From the module `select`, by the monkey patches of eventlet and gevent."""


@pytest.fixture
def environment(
    broker: Valkey, ministack: Ministack, migrated_file: Path, tmp_path: Path
) -> Iterator[Environment]:
    environment = Environment(tmp_path / "e", migrated_file, ministack, Broker(url=broker.url))
    yield environment
    environment.engine.dispose()


@pytest.mark.parametrize(
    "pool", ["prefork", "processes", "threads", prefork.TaskPool, thread.TaskPool]
)
def test_pools_with_processes_or_threads_are_for_transfers(pool: object) -> None:
    assert refusal_of(pool) is None


def test_a_pool_of_somebody_s_own_is_refused() -> None:
    class TaskPool(BasePool):
        pass

    said = refusal_of(TaskPool)
    assert said is not None
    assert said.startswith("--pool test_pools: no one has tried it. Use --pool prefork or threads")


def test_a_worker_with_threads_does_transfers(environment: Environment) -> None:
    artifact = environment.config(12)
    with environment.worker("threads", ("--pool", "threads")) as worker:
        environment.send(artifact, "a request")
        worker.wait_until(lambda: environment.is_done(artifact), _PATIENCE_SECONDS)


def test_a_worker_with_another_pool_ends_with_one_line(environment: Environment) -> None:
    with environment.worker("solo", ("--pool", "solo")) as worker:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while worker.is_running:
            assert time.monotonic() < deadline, "it did not end"
            time.sleep(0.05)
    log = worker.log.read_text()
    said = [line for line in log.splitlines() if line.startswith("artifacts: ")]
    why = "it stops the main loop, so that other workers take over what this one runs"
    assert said == [f"artifacts: --pool solo: {why}. Use --pool prefork or threads"]
    assert "Traceback" not in log


def test_nothing_is_imported_that_a_monkey_patch_removes() -> None:
    """An import that fails would come before the line that says which pool to use."""
    imported = {
        (path.name, name.name)
        for package in ("domain", "tasks", "worker")
        for path in (ROOT / package).rglob("*.py")
        if "from select import" in path.read_text()  # to parse each file takes long
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "select"
        for name in node.names
    }
    assert {(file, name) for file, name in imported if name in _REMOVED} == set()
