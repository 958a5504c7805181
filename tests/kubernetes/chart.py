"""The Helm chart, rendered by Helm as an installation would."""

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from tests.image import ROOT
from tests.kubernetes.wheels import helm

CHART = ROOT / "deploy/helm/artifact-pipeline"
RELEASE = "demo"
NEEDED: dict[str, Any] = {
    "settings": {"ARTIFACTS_BUCKET": "artifacts"},
    "workspace": {"claim": "workspace"},
    "web": {
        "enabled": True,
        "hosts": ["artifacts.example.org"],
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "artifacts-tls"},
    },
}
"""What an installation with all parts must give."""
SCALED = {**NEEDED, "keda": {"enabled": True}}


def run_helm(*arguments: str, values: str = "") -> "subprocess.CompletedProcess[str]":
    """Run Helm with nothing of this machine's own configuration.

    Args: `values`: a file of values, if `--values -` reads one.
    """
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run(
        [helm(), *arguments],
        input=values,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def template(values: Mapping[str, Any]) -> "subprocess.CompletedProcess[str]":
    """Render with a file of values: Helm reads its numbers otherwise than those of `--set`."""
    return run_helm(
        "template", RELEASE, str(CHART), "--values", "-", values=yaml.safe_dump(dict(values))
    )


def render(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of an installation with these values."""
    objects: list[dict[str, Any]] = json.loads(_rendered(json.dumps(values)))
    return objects


@cache
def _rendered(values: str) -> str:
    done = template(json.loads(values))
    assert done.returncode == 0, done.stderr
    return json.dumps([each for each in yaml.safe_load_all(done.stdout) if each])


def of_kind(kind: str, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the objects of a kind, by their names without the release's."""
    return {
        each["metadata"]["name"].removeprefix(f"{RELEASE}-"): each
        for each in render(values)
        if each["kind"] == kind
    }


def pods(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the specifications of all pods, by the names of what makes them."""
    found = {**of_kind("Job", values), **of_kind("Deployment", values)}
    return {name: each["spec"]["template"]["spec"] for name, each in found.items()}


def container(pod: Mapping[str, Any]) -> dict[str, Any]:
    [found] = pod["containers"]
    return dict(found)


def environment(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the container is given: texts, or names and keys of secrets."""
    return {
        each["name"]: each.get("value") or each["valueFrom"]["secretKeyRef"]
        for each in container(pod).get("env", [])
    }
