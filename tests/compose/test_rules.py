"""What holds of every service in docker-compose.yml."""

import re
import tomllib
from collections import Counter
from pathlib import PurePosixPath
from typing import Any

import psycopg
import pytest

from artifact_pipeline import celeryconfig
from artifact_pipeline.worker.dev.layout import LAYOUT
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.compose.compose_file import (
    GIVEN,
    ONE_SHOTS,
    WORKERS,
    mounted,
    read,
    seconds,
    strings,
)
from tests.databases import Databases
from tests.image import ROOT

FILE = read(GIVEN)
SERVICES = FILE["services"]
LONG_RUNNING = sorted(set(SERVICES) - set(ONE_SHOTS))
BROKER_ALONE = ["beat", "flower"]

every_service = pytest.mark.parametrize("name", sorted(SERVICES))
every_long_running_service = pytest.mark.parametrize("name", LONG_RUNNING)
every_worker = pytest.mark.parametrize("name", WORKERS)


def environment(name: str) -> dict[str, str]:
    found: dict[str, str] = SERVICES[name].get("environment", {})
    return found


def queues(name: str) -> list[str]:
    return [
        queue
        for text in SERVICES[name].get("command", [])
        if text.startswith("--queues=")
        for queue in text.removeprefix("--queues=").split(",")
    ]


class TestEveryService:
    @every_service
    def test_it_can_do_no_more_than_it_must(self, name: str) -> None:
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"].split(":")[0] not in {"", "0", "root"}
        assert not service.get("privileged")
        assert not any("docker.sock" in text for text in strings(service))

    @every_service
    def test_it_cannot_take_the_machine(self, name: str) -> None:
        service = SERVICES[name]
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
        assert 0 < service["cpus"] <= 2
        assert 0 < service["pids_limit"] <= 256
        assert all("size=" in mount for mount in service.get("tmpfs", []))

    @every_service
    def test_its_logs_are_rotated(self, name: str) -> None:
        logging = SERVICES[name]["logging"]
        assert logging["driver"] == "json-file"
        assert set(logging["options"]) == {"max-size", "max-file"}

    @every_service
    def test_its_image_is_pinned_and_names_no_registry(self, name: str) -> None:
        repository, _, tag = SERVICES[name]["image"].partition(":")
        assert re.search(r"\d", tag)
        assert "." not in repository.split("/")[0]

    @every_service
    def test_it_writes_only_where_something_is_mounted(self, name: str) -> None:
        service = SERVICES[name]
        paths = [text for text in environment(name).values() if text.startswith("/")]
        paths += re.findall(
            r"(?:^|=)(/[\w./-]+)", "\n".join(service.get("command", [])), re.MULTILINE
        )
        outside = [
            path
            for path in paths
            if not any(PurePosixPath(path).is_relative_to(mount) for mount in mounted(service))
        ]
        assert set(outside) <= {"/etc/artifacts/flowerconfig.py"}

    @every_long_running_service
    def test_it_says_whether_it_is_well_and_comes_back(self, name: str) -> None:
        service = SERVICES[name]
        assert service["restart"] == "unless-stopped"
        check = service["healthcheck"]
        assert set(check) == {"test", "interval", "timeout", "retries", "start_period"}
        assert not any(secret in text for secret in GIVEN.values() for text in strings(check))

    @pytest.mark.parametrize("name", ONE_SHOTS)
    def test_a_one_shot_is_done_once(self, name: str) -> None:
        assert SERVICES[name]["restart"] == "on-failure"
        assert "healthcheck" not in SERVICES[name]
        # `up --wait` takes one that has ended for a failure, unless somebody who runs waits for it.
        assert all(name in SERVICES[worker]["depends_on"] for worker in WORKERS)

    @every_service
    def test_what_it_waits_for_can_come_about(self, name: str) -> None:
        for other, wait in SERVICES[name].get("depends_on", {}).items():
            expected = "completed_successfully" if other in ONE_SHOTS else "healthy"
            assert wait == {"condition": f"service_{expected}"}

    @every_service
    def test_it_shares_a_network_with_what_it_speaks_to(self, name: str) -> None:
        names = {"broker", "database", "s3"} & set(SERVICES)
        addresses = "\n".join(environment(name).values())
        for other in names:
            if re.search(rf"[@/]{other}:\d", addresses):
                assert set(SERVICES[name]["networks"]) & set(SERVICES[other]["networks"]), other


class TestWorkers:
    @every_worker
    def test_it_has_the_time_to_hand_on_what_it_does(self, name: str) -> None:
        assert environment(name)["REMAP_SIGTERM"] == "SIGQUIT"
        grace = seconds(SERVICES[name]["stop_grace_period"])
        assert grace > celeryconfig.worker_soft_shutdown_timeout
        assert SERVICES[name]["init"] is True

    @every_worker
    def test_it_is_the_worker_that_dev_starts(self, name: str) -> None:
        [plan] = [plan for plan in LAYOUT if plan.name == name]
        assert queues(name) == list(plan.queues)

    def test_every_queue_is_one_workers(self) -> None:
        consumed = Counter(queue for name in SERVICES for queue in queues(name))
        assert consumed == {queue.name: 1 for queue in celeryconfig.task_queues}
        assert sorted(name for name in SERVICES if queues(name)) == WORKERS

    def test_nobody_elses_signal_is_remapped(self) -> None:
        remapped = [name for name in SERVICES if "REMAP_SIGTERM" in environment(name)]
        assert sorted(remapped) == WORKERS

    @every_worker
    def test_its_workspace_is_the_hosts_and_is_never_made(self, name: str) -> None:
        (mount,) = SERVICES[name]["volumes"]
        assert mount["source"] == GIVEN["WORKSPACE_DIRECTORY"]
        assert mount["target"] == environment(name)["ARTIFACTS_WORKSPACE"]
        # What the host mounts later appears in it.
        assert mount["bind"] == {"create_host_path": False, "propagation": "rslave"}


class TestSecrets:
    @pytest.mark.parametrize("name", BROKER_ALONE)
    def test_beat_and_flower_have_the_brokers_alone(self, name: str) -> None:
        secrets = {key: GIVEN[key] for key in GIVEN if re.search("PASSWORD|KEY", key)}
        found = {key for key in secrets if any(secrets[key] in t for t in strings(SERVICES[name]))}
        assert found - {"FLOWER_PASSWORD"} == {"VALKEY_PASSWORD"}

    def test_flowers_password_is_flowers_alone(self) -> None:
        secret = GIVEN["FLOWER_PASSWORD"]
        having = [name for name in SERVICES if any(secret in t for t in strings(SERVICES[name]))]
        assert having == ["flower"]

    def test_a_migration_has_the_databases_alone(self) -> None:
        assert set(environment("migrate")) == {"ARTIFACTS_DATABASE_URL"}


class TestNetworks:
    def test_only_what_is_asked_from_outside_is_published_and_on_this_machine_alone(self) -> None:
        published = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
        assert set(published) == {"flower", "metrics", "s3", "web"}
        assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)

    def test_broker_and_database_are_where_nothing_leads_out(self) -> None:
        assert FILE["networks"]["back"] == {"internal": True}
        for name in ("broker", "database"):
            assert SERVICES[name]["networks"] == ["back"]


class TestVersions:
    """The servers are those that the tests run against."""

    def test_of_the_broker(self, valkey: Valkey) -> None:
        with valkey.client() as client:
            information: Any = client.info("server")
        minor = ".".join(information["valkey_version"].split(".")[:2])
        assert SERVICES["broker"]["image"] == f"valkey/valkey:{minor}-alpine"

    def test_of_the_database(self, databases: Databases) -> None:
        url = databases.emptied().replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            major = connection.info.server_version // 10_000
        assert SERVICES["database"]["image"] == f"postgres:{major}-trixie"

    def test_of_s3(self) -> None:
        lock = (ROOT / "requirements.lock").read_text()
        locked = re.search(r"^ministack==(\S+)", lock, re.MULTILINE)
        assert locked
        assert SERVICES["s3"]["image"] == f"ministackorg/ministack:{locked[1]}"

    def test_of_the_pipeline(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        images = {each["image"] for each in SERVICES.values() if "build" in each}
        assert images == {f"artifact-pipeline:{project['version']}"}


def test_the_volumes_are_those_that_are_used() -> None:
    used = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if isinstance(volume, str)
    }
    assert set(FILE["volumes"]) == used
