"""One upload through the containers of the Helm chart, each started by its very command.

As tests/compose does it, with the same code: a container's mounts are directories here, its
secrets are those of the broker and the database of docker-compose.yml. All workers have one
template and commands of Compose's, so one is started, with the queues of all.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline import celeryconfig
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.demo.story import seed
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.web.access.passwords import PasswordHash
from artifact_pipeline.worker.workspace import Workspace
from tests.compose.compose_file import GIVEN, read
from tests.compose.containers import Containers
from tests.compose.places import Places
from tests.kubernetes.chart import NEEDED, container, environment, pods

pytestmark = pytest.mark.processes

COMPOSE = read(GIVEN)["services"]
SERVERS = ("broker", "database", "s3", "bucket")
GIVEN_BY_COMPOSE = COMPOSE["configs"]["environment"]
VALUES = {
    "settings": {
        name: GIVEN_BY_COMPOSE[name]
        for name in ("ARTIFACTS_BUCKET", "ARTIFACTS_S3_ENDPOINT_URL", "AWS_DEFAULT_REGION")
    },
    "workspace": NEEDED["workspace"],
    "web": NEEDED["web"],
    "secrets": {"s3": {"name": "artifacts-s3"}},
    "migrate": {"platformTables": True},
    "workers": {
        "configs": {"queues": [queue.name for queue in celeryconfig.task_queues]},
        **dict.fromkeys(("results", "batches", "upkeep")),
    },
}
SECRETS = {
    ("artifacts-database", "url"): GIVEN_BY_COMPOSE["ARTIFACTS_DATABASE_URL"],
    ("artifacts-broker", "url"): GIVEN_BY_COMPOSE["ARTIFACTS_BROKER_URL"],
    ("artifacts-s3", "access-key-id"): GIVEN_BY_COMPOSE["AWS_ACCESS_KEY_ID"],
    ("artifacts-s3", "secret-access-key"): GIVEN_BY_COMPOSE["AWS_SECRET_ACCESS_KEY"],
    ("artifacts-flower", "basic-auth"): COMPOSE["flower"]["environment"]["FLOWER_BASIC_AUTH"],
    ("artifacts-web", "logins"): f"ada:operator:{PasswordHash.of('web-secret')}",
}
WAITS = {
    "migrate": {"database": "healthy"},
    "workspace": {"migrate": "completed_successfully"},
}
"""What Helm's hooks wait for; everything else comes after them."""
AFTER_HOOKS = {
    "broker": "healthy",
    "workspace": "completed_successfully",
    "bucket": "completed_successfully",
}


def service(name: str, pod: dict[str, Any]) -> dict[str, Any]:
    """Return the container as a service of docker-compose.yml would have it."""
    found = container(pod)
    waits = WAITS.get(name, AFTER_HOOKS)
    given = {
        key: value if isinstance(value, str) else SECRETS[value["name"], value["key"]]
        for key, value in environment(pod).items()
    }
    made = {
        "entrypoint": found["command"],
        "command": found.get("args", []),
        "environment": given,
        "tmpfs": [each["mountPath"] for each in found["volumeMounts"] if each["name"] == "tmp"],
        "volumes": [
            {"target": each["mountPath"]}
            for each in found["volumeMounts"]
            if each["name"] == "workspace"
        ],
        "depends_on": {other: {"condition": f"service_{how}"} for other, how in waits.items()},
    }
    if "livenessProbe" in found:
        made["healthcheck"] = {"test": ["CMD", *probe(found, "livenessProbe")]}
    return made


def probe(found: dict[str, Any], name: str) -> list[str]:
    """Return the command of a probe; what the kubelet asks by HTTP, Python asks here."""
    how = found[name]
    if "exec" in how:
        return list(how["exec"]["command"])
    [port] = [each["containerPort"] for each in found["ports"]]
    url = f"http://127.0.0.1:{port}{how['httpGet']['path']}"
    return ["python", "-c", f"import urllib.request; urllib.request.urlopen({url!r}, timeout=8)"]


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory, image: Path) -> Iterator[Containers]:
    """All of them, alive by their own probes."""
    services = {name: COMPOSE[name] for name in SERVERS}
    services |= {name: service(name, pod) for name, pod in pods(VALUES).items()}
    containers = Containers(services, Places(tmp_path_factory.mktemp("kubernetes"), image))
    with containers.up():
        yield containers


def test_what_is_asked_for_is_uploaded(containers: Containers) -> None:
    # Given
    engine = make_engine(containers.environment("configs")["ARTIFACTS_DATABASE_URL"])
    seed(engine, Workspace(containers.places.workspace))
    engine.dispose()
    # When
    upload = ("artifacts", "jobs", "upload", "--job-id", "12", "--wait", "--json")
    asked = containers.run("configs", *upload)
    # Then
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert [row["state"] for row in json.loads(asked.stdout)] == ["done"] * len(ArtifactKind)


@pytest.mark.parametrize("name", ["configs", "flower", "metrics", "web"])
def test_each_becomes_ready(containers: Containers, name: str) -> None:
    ready = probe(container(pods(VALUES)[name]), "readinessProbe")
    done = containers.run(name, *ready)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_ends_within_its_grace(containers: Containers) -> None:
    running = [name for name in pods(VALUES) if name not in WAITS]
    graces = {name: pods(VALUES)[name].get("terminationGracePeriodSeconds", 30) for name in running}
    statuses = {name: containers.stop(name, grace) for name, grace in graces.items()}
    assert statuses == dict.fromkeys(running, 0)
