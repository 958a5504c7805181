"""A producer whose process has a Celery app, and a celeryconfig.py, of the platform's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from artifact_pipeline.worker.embedded.servers import Valkey

pytestmark = pytest.mark.processes

PLATFORM = """
from celery import Celery, current_app, shared_task
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.uploads import upload_job_config

platform = Celery("platform", broker="{broker_1}")

@shared_task(name="platform.own")
def own(): ...

producer_app("{broker_0}")
"""


def test_the_platforms_tasks_go_where_they_went(broker: Valkey, tmp_path: Path) -> None:
    # Given a platform with an app of its own, when both its task and ours are sent
    _run(PLATFORM + "own.delay(); upload_job_config.delay(job_id=12)", broker, tmp_path)

    # Then each is at its own broker
    with broker.client() as ours:
        assert (ours.llen("celery"), ours.llen("configs")) == (0, 1)
        ours.select(1)
        assert (ours.llen("celery"), ours.llen("configs")) == (1, 0)


def test_the_platforms_app_stays_the_current_one(broker: Valkey, tmp_path: Path) -> None:
    said = _run(PLATFORM + "print(current_app.main)", broker, tmp_path)
    assert said == "platform\n"


def test_another_thread_publishes_with_the_same_app(broker: Valkey, tmp_path: Path) -> None:
    threaded = "import threading; t = threading.Thread(target=upload_job_config.delay, args=(12,))"
    _run(PLATFORM + f"{threaded}; t.start(); t.join()", broker, tmp_path)
    with broker.client() as ours:
        assert ours.llen("configs") == 1


def test_a_celeryconfig_of_the_platform_is_not_mistaken_for_ours(
    broker: Valkey, tmp_path: Path
) -> None:
    (tmp_path / "celeryconfig.py").write_text("task_acks_late = False\ntask_queues = None\n")
    show = "print(producer_app('redis://h').conf.task_acks_late)"
    assert _run(PLATFORM + show, broker, tmp_path) == "True\n"


def _run(source: str, broker: Valkey, directory: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", _on(broker, source)],
        env={**os.environ, "PYTHONPATH": str(directory)},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _on(broker: Valkey, source: str) -> str:
    """The source with two databases of the broker for its two."""
    ours = broker.url.removesuffix("/0")
    second = f"{ours}?virtual_host=1" if ours.startswith("redis+socket") else f"{ours}/1"
    return source.replace("{broker_0}", broker.url).replace("{broker_1}", second)
