"""docker-compose.yml as Docker Compose reads it."""

import re
from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import Any

import yaml

from tests.image import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
STORE_TEXT = (ROOT / "docker-compose.store.yml").read_text()
# $$, $NAME, ${NAME}, ${NAME:-default}, ${NAME:?why}, and the last two without their colon.
_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>\w+)|\{(?P<name>\w+)(?:(?P<how>:?[-?])(?P<text>[^}]*))?\})"
)

GIVEN = {
    "POSTGRES_PASSWORD": "database-secret",
    "VALKEY_PASSWORD": "broker-secret",
    "FLOWER_PASSWORD": "flower-secret",
    "S3_ACCESS_KEY_ID": "bucket-key",
    "S3_SECRET_ACCESS_KEY": "bucket-secret",
    "WORKSPACE_DIRECTORY": "/srv/workspace",
}
"""A made-up .env with what must be given."""
WORKERS = ["batches", "configs", "results", "upkeep"]
ONE_SHOTS = ["bucket", "migrate", "workspace"]


class MissingVariableError(Exception):
    """One that must be given is not, or is empty."""


def read(given: Mapping[str, str]) -> Any:
    """The whole file. Raises: MissingVariableError."""
    return _with_variables(yaml.safe_load(TEXT), given)


def read_with_store(given: Mapping[str, str]) -> Any:
    """Read both files, with the store of the second; only what it changes is merged."""
    file, store = read(given), _with_variables(yaml.safe_load(STORE_TEXT), given)
    for name, changes in store["services"].items():
        file["services"][name] = _merged(file["services"][name], changes)
    return file


def defaults() -> dict[str, str | None]:
    """Of all variables in the file; None where one must be given."""
    return {
        match["name"] or match["bare"]: match["text"] if match["how"] == ":-" else None
        for match in _VARIABLE.finditer(TEXT)
        if not match["dollar"]
    }


def in_order(services: Mapping[str, Any]) -> list[str]:
    """Each after those that it waits for."""
    waits_for = {name: service.get("depends_on", {}) for name, service in services.items()}
    return list(TopologicalSorter(waits_for).static_order())


def strings(value: Any) -> list[str]:
    """All that are in it, keys left out."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [str(value)]


def mounted(service: dict[str, Any]) -> list[str]:
    """The directories in the container that can be written."""
    volumes = service.get("volumes", [])
    targets = [each["target"] if isinstance(each, dict) else each.split(":")[1] for each in volumes]
    return [*targets, *(each.split(":")[0] for each in service.get("tmpfs", []))]


def seconds(duration: str) -> float:
    """Of `90s` or `2m`."""
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


def _merged(service: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """As Docker Compose merges: maps by their keys, volumes by their targets, the rest replaced."""
    merged = dict(service)
    for key, value in changes.items():
        if isinstance(value, dict):
            merged[key] = {**service.get(key, {}), **value}
        elif key == "volumes":
            merged[key] = [*service.get(key, []), *value]
        else:
            merged[key] = value
    return merged


def _with_variables(value: Any, given: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _with_variables(item, given) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_variables(item, given) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _value(match, given), value)
    return value


def _value(match: re.Match[str], given: Mapping[str, str]) -> str:
    if match["dollar"]:
        return "$"
    name, how, text = match["name"] or match["bare"], match["how"] or "", match["text"] or ""
    value = given.get(name)
    if value is None or (not value and how.startswith(":")):
        if how.endswith("?"):
            raise MissingVariableError(f"required variable {name} is missing a value: {text}")
        return text
    return value
