"""The example of an agent for Docker Compose."""

import re
import subprocess

import pytest
import yaml

from artifact_pipeline.worker.settings import WorkerSettings
from tests.compose.test_settings import variables
from tests.image import ROOT

pytestmark = pytest.mark.processes

TEXT = (ROOT / "deploy/agent/docker-compose.yml").read_text()
GIVEN = {"SIMULATION_NAME": "sim-7", "SIMULATION_COMMAND": "printf '%s|' --steps 'a b'"}


@pytest.fixture
def written() -> str:
    """Return the file with its variables, as Docker Compose reads it."""
    return re.sub(r"\$\{(\w+):[^}]*\}", lambda found: GIVEN.get(found[1], "x"), TEXT)


def test_the_command_of_the_simulation_is_taken_apart_by_a_shell(written: str) -> None:
    command = yaml.safe_load(written)["services"]["simulation"]["command"]
    simulation = command[command.index("--") + 1 :]
    done = subprocess.run(simulation, capture_output=True, text=True, check=True)
    assert done.stdout == "--steps|a b|"


def test_two_simulations_of_a_host_share_nothing(written: str) -> None:
    read = yaml.safe_load(written)
    assert read["name"] == "sim-7"
    assert read["volumes"] == {"data": None}


def test_it_gives_settings_of_a_worker(written: str) -> None:
    given = yaml.safe_load(written)["services"]["simulation"]["environment"]
    ours = {name for name in given if name.startswith("ARTIFACTS_")}
    assert ours <= variables(WorkerSettings)
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= set(given)
