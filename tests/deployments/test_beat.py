"""Beat where nothing can be written, and after its clock was set back."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from artifact_pipeline.tasks.routing import UPKEEP
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import Valkey
from tests import skewed

pytestmark = pytest.mark.processes

# Nobody can make a file there, not even root.
READ_ONLY = "/proc"
AN_HOUR_AHEAD = 60.0
_PATIENCE_SECONDS = 90

Start = Callable[[Mapping[str, str]], ManagedProcess]


@pytest.fixture
def start(broker: Valkey, tmp_path: Path) -> Start:
    def started(settings: Mapping[str, str]) -> ManagedProcess:
        command = [sys.executable, "-m", "celery", "--quiet", "--workdir", READ_ONLY]
        options = [
            "-A",
            "artifact_pipeline.worker.control",
            "beat",
            "--schedule",
            f"{READ_ONLY}/schedule",
        ]
        env = {**os.environ, "ARTIFACTS_BROKER_URL": broker.url, **settings}
        return ManagedProcess("beat", [*command, *options], env=env, log=tmp_path / "beat.log")

    return started


def sent(broker: Valkey) -> int:
    with broker.client() as client:
        return int(client.llen(UPKEEP))


def test_a_beat_that_can_write_nowhere_sends(broker: Valkey, start: Start) -> None:
    # When
    with start({"ARTIFACTS_LIVENESS_FILE": f"{READ_ONLY}/alive"}) as beat:
        # Then
        beat.wait_until(lambda: sent(broker) > 1, _PATIENCE_SECONDS)
    log = beat.log.read_text()
    assert log.count("that this worker listens cannot be noted: ") == 1
    assert "Traceback" not in log


def test_one_that_is_started_again_after_its_clock_was_set_back_sends(
    broker: Valkey, start: Start
) -> None:
    # Given a beat that has sent something
    with start(skewed.environment(AN_HOUR_AHEAD)) as beat:
        beat.wait_until(lambda: sent(broker) > 0, _PATIENCE_SECONDS)
    before = sent(broker)
    # When it is started again, an hour earlier
    with start({}) as beat:
        # Then
        beat.wait_until(lambda: sent(broker) > before, _PATIENCE_SECONDS)
