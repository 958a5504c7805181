"""One upload through the services of docker-compose.yml, each started by its very command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import requests
from redis import Redis
from redis.exceptions import AuthenticationError

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.demo.story import seed
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.web.access.passwords import PasswordHash
from artifact_pipeline.worker.workspace import Workspace
from tests.compose.compose_file import GIVEN, ONE_SHOTS, WORKERS, read, seconds
from tests.compose.containers import Containers
from tests.compose.places import Places
from tests.flower.deployed import wait_until

pytestmark = pytest.mark.processes

PREFIX = "jobs/12/2025/10/23/211500/"
OPERATOR, WEB_PASSWORD = "ada", "web-secret"


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory, image: Path) -> Iterator[Containers]:
    """All of them, healthy by their own checks."""
    places = Places(tmp_path_factory.mktemp("compose"), image)
    logins = {"WEB_LOGINS": f"{OPERATOR}:operator:{PasswordHash.of(WEB_PASSWORD)}"}
    containers = Containers(read({**GIVEN, **logins})["services"], places)
    with containers.up():
        yield containers


def keys(containers: Containers) -> set[str]:
    environment = containers.environment("configs")
    session = boto3.Session(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    client = make_client(environment["ARTIFACTS_S3_ENDPOINT_URL"], threads=1, session=session)
    found = client.list_objects_v2(Bucket=environment["ARTIFACTS_BUCKET"])
    listed = {entry["Key"] for entry in found.get("Contents", [])}
    return {key for key in listed if not key.endswith("/manifest.json")}


def broker(containers: Containers, password: str | None) -> Redis:
    port = containers.places.ports["broker"]
    return Redis(port=port, password=password, decode_responses=True)


def ask_flower(containers: Containers, path: str, **parameters: str) -> Any:
    url = f"http://127.0.0.1:{containers.places.ports['flower']}{path}"
    credentials = ("operator", GIVEN["FLOWER_PASSWORD"])
    answer = requests.get(url, parameters, auth=credentials, timeout=30)
    answer.raise_for_status()
    return answer.json()


def test_what_is_asked_for_lands_in_the_bucket(containers: Containers) -> None:
    # Given
    engine = make_engine(containers.environment("configs")["ARTIFACTS_DATABASE_URL"])
    seed(engine, Workspace(containers.places.workspace))
    engine.dispose()
    # When
    asked = containers.run(
        "configs", *("artifacts", "jobs", "upload", "--job-id", "12", "--wait", "--json")
    )
    # Then
    assert asked.returncode == 0, asked.stdout
    assert [row["state"] for row in json.loads(asked.stdout)] == ["done"] * len(ArtifactKind)
    assert all(key.startswith(PREFIX) for key in keys(containers))
    assert len(keys(containers)) == len(ArtifactKind)


def test_flower_shows_every_worker_and_their_transfers_alone(containers: Containers) -> None:
    # Given that upkeep has run
    with broker(containers, GIVEN["VALKEY_PASSWORD"]) as client:
        wait_until(lambda: client.exists("artifacts.remembers_since") == 1)
    # When
    wait_until(
        lambda: len(ask_flower(containers, "/api/tasks", state="SUCCESS")) == len(ArtifactKind)
    )
    # Then
    workers = ask_flower(containers, "/api/workers", status="1")
    assert sorted(name.split("@")[0] for name, is_up in workers.items() if is_up) == WORKERS
    tasks = ask_flower(containers, "/api/tasks").values()
    assert {task["worker"].split("@")[0] for task in tasks} == {"configs", "results"}


def test_the_metrics_are_of_this_deployment(containers: Containers) -> None:
    # When
    port = containers.places.ports["metrics"]
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    # Then
    assert 'artifacts_up{part="database"} 1.0' in text
    assert 'artifacts_up{part="broker"} 1.0' in text
    assert 'celery_active_worker_count{queue_name="results"}' in text


def test_the_pages_show_this_deployment_to_those_who_log_in(containers: Containers) -> None:
    # When
    url = f"http://127.0.0.1:{containers.places.ports['web']}/jobs/12"
    refused = requests.get(url, timeout=30)
    page = requests.get(url, auth=(OPERATOR, WEB_PASSWORD), timeout=30)
    # Then
    assert refused.status_code == 401
    assert "run_4_results.zip" in page.text


def test_the_broker_keeps_all_that_it_is_given(containers: Containers) -> None:
    # When
    with broker(containers, GIVEN["VALKEY_PASSWORD"]) as client:
        settings = client.config_get("maxmemory", "maxmemory-policy", "appendonly", "save")
    # Then
    assert settings == {
        "maxmemory": str(256 * 2**20),
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "save": "",
    }


def test_the_broker_asks_for_its_password_and_does_not_show_it(containers: Containers) -> None:
    with broker(containers, None) as client, pytest.raises(AuthenticationError):
        client.ping()
    title = psutil.Process(containers.pid("broker")).cmdline()
    assert not any(GIVEN["VALKEY_PASSWORD"] in part for part in title)


def test_the_doctor_finds_no_error(containers: Containers) -> None:
    # When
    told = containers.run("configs", "artifacts", "doctor", "--json")
    # Then
    findings = json.loads(told.stdout)
    assert [each for each in findings if each["severity"] == "error"] == []


def test_each_ends_within_its_grace_when_it_is_stopped(containers: Containers) -> None:
    # Given
    ours = [name for name, each in containers.services.items() if "build" in each]
    running = [name for name in ours if name not in ONE_SHOTS]
    # When
    statuses = {
        name: containers.stop(
            name, seconds(containers.services[name].get("stop_grace_period", "10s"))
        )
        for name in running
    }
    # Then
    assert statuses == dict.fromkeys(running, 0)
