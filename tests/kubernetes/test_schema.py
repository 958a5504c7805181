"""The chart is what Helm, Kubernetes and KEDA allow."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.compose.test_settings import READ_BY, SETTINGS, variables
from tests.kubernetes.chart import (
    CHART,
    NEEDED,
    SCALED,
    container,
    pods,
    render,
    run_helm,
    template,
)
from tests.kubernetes.wheels import schemas

pytestmark = pytest.mark.processes

FILES = {
    "Deployment": "deployment-apps-v1.json",
    "Ingress": "ingress-networking-v1.json",
    "Job": "job-batch-v1.json",
    "NetworkPolicy": "networkpolicy-networking-v1.json",
    "PodDisruptionBudget": "poddisruptionbudget-policy-v1.json",
    "Service": "service-v1.json",
    "ScaledObject": "keda.json#/definitions/ScaledObject",
    "TriggerAuthentication": "keda.json#/definitions/TriggerAuthentication",
}
"""The schema of each kind: Kubernetes' own, and for KEDA the one beside this test."""


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A schema of a list of objects, each by its kind."""
    directory = tmp_path_factory.mktemp("schemas")
    files = {name.partition("#")[0] for name in FILES.values()} - {"keda.json"}
    for name in {*files, "_definitions.json"}:
        # They refer to each other by a path of the Kubernetes API.
        text = (schemas() / name).read_text().replace("/api/_definitions.json", "_definitions.json")
        (directory / name).write_text(text)
    (directory / "keda.json").symlink_to(Path(__file__).with_name("keda.json"))
    by_kind = [
        {"if": {"properties": {"kind": {"const": kind}}}, "then": {"$ref": file}}
        for kind, file in FILES.items()
    ]
    of_any = {"properties": {"kind": {"enum": list(FILES)}}, "required": ["kind"], "allOf": by_kind}
    path = directory / "list.json"
    path.write_text(json.dumps({"type": "array", "items": of_any}))
    return path


def check(objects: list[dict[str, Any]], schema: Path, directory: Path) -> tuple[int, str]:
    instance = directory / "objects.json"
    instance.write_text(json.dumps(objects))
    command = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [command, "--schemafile", schema, instance], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_helm_finds_nothing_to_say() -> None:
    # When
    sets = [f"--set-json={name}={json.dumps(value)}" for name, value in NEEDED.items()]
    linted = run_helm("lint", "--strict", str(CHART), *sets)
    # Then
    assert linted.returncode == 0, linted.stdout
    assert "1 chart(s) linted, 0 chart(s) failed" in linted.stdout


def test_every_object_is_valid(schema: Path, tmp_path: Path) -> None:
    # Given
    objects = render(SCALED)
    assert {each["kind"] for each in objects} == set(FILES)
    # When
    status, said = check(objects, schema, tmp_path)
    # Then
    assert status == 0, said


def _misspell_grace(objects: list[dict[str, Any]]) -> None:
    [pod] = [each for each in objects if each["metadata"]["name"] == "demo-beat"]
    pod["spec"]["template"]["spec"]["terminationGracePeriod"] = 90


def _drop_the_selector(objects: list[dict[str, Any]]) -> None:
    [pod] = [each for each in objects if each["metadata"]["name"] == "demo-beat"]
    del pod["spec"]["selector"]


def _misspell_target(objects: list[dict[str, Any]]) -> None:
    scaled = next(each for each in objects if each["kind"] == "ScaledObject")
    scaled["spec"]["triggers"][0]["metadata"]["targetValue"] = "5"


SECRET = {
    f"ARTIFACTS_{name}" for name in ("BROKER_SENTINEL_PASSWORD", "EVENTS_SECRET", "WEB_SECRET")
}
"""Settings that must not stand in a file of values."""


def test_broken_copies_are_refused(schema: Path, tmp_path: Path) -> None:
    # Given three copies, each with another fault
    faults = (_misspell_grace, _drop_the_selector, _misspell_target)
    broken: list[dict[str, Any]] = []
    for fault in faults:
        objects = copy.deepcopy(render(SCALED))
        fault(objects)
        broken += [each for each in objects if each not in render(SCALED)]
    assert len(broken) == len(faults)
    # When
    status, said = check(broken, schema, tmp_path)
    # Then each is found
    assert status == 1
    assert all(f"$[{position}]" in said for position in range(len(faults))), said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "at '/settings/ARTIFACTS_BUCKET': minLength"),
        ({"workspace": {"claim": ""}}, "at '/workspace/claim': minLength"),
        ({**NEEDED, "replicas": 3}, "additional properties 'replicas' not allowed"),
        (
            {**NEEDED, "settings": {"ARTIFACTS_DATABASE_URL": "postgresql://u:secret@h/d"}},
            "invalid propertyName 'ARTIFACTS_DATABASE_URL'",
        ),
        (
            {**NEEDED, "settings": {"ARTIFACTS_BUCKET": "a", "ARTIFACTS_EVENTS_SECRET": "s"}},
            "invalid propertyName 'ARTIFACTS_EVENTS_SECRET'",
        ),
        (
            {**NEEDED, "settings": {"ARTIFACTS_BUCKET": "a", "ARTIFACTS_PARTSIZE": 1}},
            "invalid propertyName 'ARTIFACTS_PARTSIZE'",
        ),
        (
            {**NEEDED, "user": {"uid": 0}, "web": {"enabled": True}},
            ("at '/user/uid': minimum", "at '/web/hosts': minItems"),
        ),
        (
            {**NEEDED, "workers": {"results": {"scaling": {"min": 5, "max": 4}}}},
            "workers.results.scaling: min 5 is more than max 4. Correct one of them",
        ),
        (
            {**NEEDED, "web": {**NEEDED["web"], "ingress": {"enabled": True}}},
            "web.ingress: without TLS the browser sends passwords in clear text. Name the Secret",
        ),
    ],
    ids=[
        *("bucket", "claim", "unknown value", "secret URL", "secret", "misspelt setting", "root"),
        *("min above max", "passwords in clear text"),
    ],
)
def test_wrong_values_are_named(values: dict[str, Any], said: str | tuple[str, ...]) -> None:
    done = template(values)
    assert done.returncode == 1
    assert all(each in done.stderr for each in ([said] if isinstance(said, str) else said))


@pytest.mark.parametrize(
    "values",
    [
        {"web": {**NEEDED["web"], "ingress": {"enabled": True, "tlsElsewhere": True}}},
        {
            "web": {**NEEDED["web"], "ingress": {"enabled": True}},
            "secrets": {"web": {"name": ""}},
        },
    ],
    ids=["TLS elsewhere", "no logins"],
)
def test_an_ingress_without_its_own_certificate(values: dict[str, Any]) -> None:
    assert "Ingress" in {each["kind"] for each in render({**NEEDED, **values})}


def test_the_settings_are_those_of_the_pipeline() -> None:
    # Given all settings, but for secrets and what the chart itself sets
    ours = variables(*SETTINGS, *READ_BY.values()) | {"ARTIFACTS_RETENTION_PRICES"}
    given = {name for pod in pods(NEEDED).values() for name in _names(pod)}
    kept = {"ARTIFACTS_BUCKET"}
    # Then
    schema = json.loads((CHART / "values.schema.json").read_text())
    names = schema["properties"]["settings"]["propertyNames"]["anyOf"]
    assert set(names[1]["enum"]) == ours - SECRET - given | kept


def _names(pod: dict[str, Any]) -> set[str]:
    return {each["name"] for each in container(pod)["env"]}
