"""What holds of every object of the Helm chart."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from artifact_pipeline import celeryconfig
from artifact_pipeline.worker.dev.layout import LAYOUT
from tests.compose.compose_file import GIVEN, WORKERS, read
from tests.image import ROOT
from tests.kubernetes.chart import (
    CHART,
    NEEDED,
    SCALED,
    container,
    environment,
    of_kind,
    pods,
)

pytestmark = pytest.mark.processes

SERVICES = read(GIVEN)["services"]
ONE_SHOTS = ["migrate", "workspace"]
OF_ONE = ["beat", "flower", "metrics", "web"]
ALL = sorted([*WORKERS, *ONE_SHOTS, *OF_ONE])
KEY = {"key": "url"}
DATABASE = {"ARTIFACTS_DATABASE_URL": {"name": "artifacts-database", **KEY}}
BROKER = {"ARTIFACTS_BROKER_URL": {"name": "artifacts-broker", **KEY}}
S3 = {
    "AWS_ACCESS_KEY_ID": {"name": "keys", "key": "access-key-id"},
    "AWS_SECRET_ACCESS_KEY": {"name": "keys", "key": "secret-access-key"},
}
FLOWER = {"FLOWER_BASIC_AUTH": {"name": "artifacts-flower", "key": "basic-auth"}}
LOGINS = {"ARTIFACTS_WEB_LOGINS": {"name": "artifacts-web", "key": "logins"}}
SECRETS = {
    **{name: {**DATABASE, **BROKER, **S3} for name in WORKERS},
    **dict.fromkeys(ONE_SHOTS, DATABASE),
    "beat": BROKER,
    "flower": {**BROKER, **FLOWER},
    "metrics": {**BROKER, **DATABASE},
    "web": {**BROKER, **DATABASE, **S3, **LOGINS},
}

every_pod = pytest.mark.parametrize("name", ALL)
every_worker = pytest.mark.parametrize("name", WORKERS)


def without_concurrency(command: list[str]) -> list[str]:
    return [each for each in command if not each.startswith("--concurrency=")]


class TestEveryPod:
    def test_these_are_all(self) -> None:
        assert sorted(pods(NEEDED)) == ALL

    @every_pod
    def test_it_can_do_no_more_than_it_must(self, name: str) -> None:
        pod = pods(NEEDED)[name]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(pod)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }

    @every_pod
    def test_it_cannot_take_the_node(self, name: str) -> None:
        resources = container(pods(NEEDED)[name])["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}
        assert "memory" in resources["limits"]

    @every_pod
    def test_its_command_is_composes(self, name: str) -> None:
        # Given the command that tests/compose starts
        service = SERVICES[name]
        composes = [*service.get("entrypoint", []), *service["command"]]
        # Then
        values = {**NEEDED, "migrate": {"platformTables": True}}
        found = container(pods(values)[name])
        own = [*found["command"], *found.get("args", [])]
        assert without_concurrency(own) == without_concurrency(composes)

    @every_pod
    def test_it_reads_the_secrets_that_it_needs_and_no_other(self, name: str) -> None:
        values = {**NEEDED, "secrets": {"s3": {"name": "keys"}}}
        given = environment(pods(values)[name])
        assert {key: value for key, value in given.items() if isinstance(value, dict)} == (
            SECRETS[name]
        )

    @every_pod
    def test_a_signal_finds_it_as_another_process_than_the_first(self, name: str) -> None:
        assert pods(NEEDED)[name]["shareProcessNamespace"] is True

    @every_pod
    def test_its_settings_are_those_of_all(self, name: str) -> None:
        others = {
            "ARTIFACTS_AUDIT": True,
            "ARTIFACTS_PART_SIZE": 16_777_216,
            "ARTIFACTS_BACKOFF_BASE_SECONDS": 0.5,
        }
        values = {**NEEDED, "settings": {**NEEDED["settings"], **others}}
        given = environment(pods(values)[name])
        assert given["ARTIFACTS_AUDIT"] == "true"
        assert given["ARTIFACTS_PART_SIZE"] == "16777216"
        assert given["ARTIFACTS_BACKOFF_BASE_SECONDS"] == "0.5"
        assert given["ARTIFACTS_BUCKET"] == "artifacts"

    @every_pod
    def test_what_an_installation_adds_is_in_all(self, name: str) -> None:
        # Given a secret setting, a CA file, and the nodes to run on
        secret = {"valueFrom": {"secretKeyRef": {"name": "events", "key": "secret"}}}
        mount = {"name": "ca", "mountPath": "/etc/ca"}
        values = {
            **NEEDED,
            "extraEnv": [{"name": "ARTIFACTS_EVENTS_SECRET", **secret}],
            "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
            "extraVolumeMounts": [mount],
            "nodeSelector": {"pool": "artifacts"},
            "tolerations": [{"key": "batch", "operator": "Exists"}],
        }
        # When
        pod = pods(values)[name]
        # Then
        assert {"name": "ARTIFACTS_EVENTS_SECRET", **secret} in container(pod)["env"]
        assert mount in container(pod)["volumeMounts"]
        assert {"name": "ca", "configMap": {"name": "ca"}} in pod["volumes"]
        assert pod["nodeSelector"] == {"pool": "artifacts"}
        assert pod["tolerations"] == [{"key": "batch", "operator": "Exists"}]

    def test_no_secret_is_made(self) -> None:
        assert of_kind("Secret", SCALED) == {}

    def test_the_image_is_this_version(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert {container(pod)["image"] for pod in pods(NEEDED).values()} == {
            f"artifact-pipeline:{project['version']}"
        }


class TestWorkers:
    @every_worker
    def test_it_has_the_time_to_hand_on_what_it_does(self, name: str) -> None:
        pod = pods(NEEDED)[name]
        assert environment(pod)["REMAP_SIGTERM"] == "SIGQUIT"
        grace = pod["terminationGracePeriodSeconds"]
        assert grace > celeryconfig.worker_soft_shutdown_timeout

    @every_worker
    def test_it_is_the_worker_that_dev_starts(self, name: str) -> None:
        [plan] = [plan for plan in LAYOUT if plan.name == name]
        assert f"--queues={','.join(plan.queues)}" in container(pods(NEEDED)[name])["args"]

    @every_worker
    def test_a_drained_node_takes_one_at_a_time(self, name: str) -> None:
        budget = of_kind("PodDisruptionBudget", NEEDED)[name]["spec"]
        labels = of_kind("Deployment", NEEDED)[name]["spec"]["template"]["metadata"]["labels"]
        assert budget["selector"]["matchLabels"].items() <= labels.items()
        assert budget["maxUnavailable"] == 1

    @every_worker
    def test_its_probes_are_those_of_the_docs(self, name: str) -> None:
        found = container(pods(NEEDED)[name])
        live = SERVICES[name]["healthcheck"]["test"][1:]
        assert found["livenessProbe"]["exec"]["command"] == live
        ready = " ".join(found["readinessProbe"]["exec"]["command"])
        assert f"`{ready}`" in (ROOT / "docs/operations/monitoring.md").read_text()

    def test_a_role_can_stand_for_keys_and_for_the_databases_password(self) -> None:
        # Given a role for S3 and the database
        found = pods({**NEEDED, "serviceAccountName": "artifacts"})
        # Then all that read one of them have it
        having = {name for name, pod in found.items() if "serviceAccountName" in pod}
        assert having == {
            name for name, pod in found.items() if "ARTIFACTS_DATABASE_URL" in environment(pod)
        }
        assert {found[name]["serviceAccountName"] for name in having} == {"artifacts"}
        assert not any(name.startswith("AWS_ACCESS") for name in environment(found["results"]))

    def test_beat_and_flower_can_have_a_role_for_sqs(self) -> None:
        found = pods({**NEEDED, "brokerServiceAccountName": "queues"})
        having = {n for n, pod in found.items() if pod.get("serviceAccountName") == "queues"}
        assert having == {"beat", "flower"}


class TestOthers:
    def test_there_is_one_beat(self) -> None:
        beat = of_kind("Deployment", NEEDED)["beat"]["spec"]
        assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})

    def test_the_migration_is_before_the_new_workers(self) -> None:
        weights = {}
        for name, job in of_kind("Job", NEEDED).items():
            annotations = job["metadata"]["annotations"]
            assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
            weights[name] = int(annotations["helm.sh/hook-weight"])
        assert weights["migrate"] < weights["workspace"]

    def test_nobody_connects_to_what_only_connects(self) -> None:
        policies = of_kind("NetworkPolicy", NEEDED).values()
        [everyone] = [p for p in policies if p["metadata"]["name"] == "demo"]
        labels = everyone["spec"]["podSelector"]["matchLabels"]
        assert "app.kubernetes.io/component" not in labels
        assert everyone["spec"]["ingress"] == []

    def test_who_may_see_the_metrics(self) -> None:
        peer = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
        values = {**NEEDED, "networkPolicy": {"metricsFrom": [peer]}}
        policies = of_kind("NetworkPolicy", values)
        assert policies["metrics"]["spec"]["ingress"] == [
            {"from": [peer], "ports": [{"port": "http"}]}
        ]
        assert policies["flower"]["spec"]["ingress"] == []
        assert policies["web"]["spec"]["ingress"] == []

    def test_the_web_application_is_off_by_default(self) -> None:
        values: Any = yaml.safe_load((CHART / "values.yaml").read_text())
        assert (values["web"]["enabled"], values["web"]["ingress"]["enabled"]) == (False, False)

    def test_the_ingress_leads_to_the_names_that_the_web_application_knows(self) -> None:
        [ingress] = of_kind("Ingress", NEEDED).values()
        [rule] = ingress["spec"]["rules"]
        assert environment(pods(NEEDED)["web"])["ARTIFACTS_WEB_HOSTS"] == rule["host"]
        [path] = rule["http"]["paths"]
        backend = path["backend"]["service"]
        service = of_kind("Service", NEEDED)["web"]
        assert backend["name"] == service["metadata"]["name"]
        assert backend["port"]["name"] in {each["name"] for each in service["spec"]["ports"]}
        assert ingress["spec"]["tls"] == [{"hosts": [rule["host"]], "secretName": "artifacts-tls"}]


class TestScaling:
    def test_a_scaled_worker_leaves_its_number_to_keda(self) -> None:
        scaled = {each["spec"]["scaleTargetRef"]["name"] for each in scaled_objects()}
        free = {
            each["metadata"]["name"]
            for each in of_kind("Deployment", SCALED).values()
            if "replicas" not in each["spec"]
        }
        assert scaled == free == {"demo-batches", "demo-configs", "demo-results"}

    def test_one_worker_always_listens(self) -> None:
        assert all(each["spec"]["minReplicaCount"] >= 1 for each in scaled_objects())

    def test_without_keda_the_values_say_how_many(self) -> None:
        values: Any = yaml.safe_load((CHART / "values.yaml").read_text())
        replicas = {n: d["spec"]["replicas"] for n, d in of_kind("Deployment", NEEDED).items()}
        assert {name: replicas[name] for name in WORKERS} == {
            name: worker["replicas"] for name, worker in values["workers"].items()
        }


def scaled_objects() -> list[dict[str, Any]]:
    return list(of_kind("ScaledObject", SCALED).values())


def test_the_document_names_every_value() -> None:
    values: Any = yaml.safe_load((CHART / "values.yaml").read_text())
    text = (ROOT / "docs/operations/kubernetes.md").read_text()
    assert [name for name in values if not re.search(rf"`{name}[`.]", text)] == []
