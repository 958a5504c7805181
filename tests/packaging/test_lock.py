"""The lock file: exact, hashed, and silent about where packages come from."""

import re
import tomllib

import pytest

from tests.packaging.conftest import ROOT

LOCK = (ROOT / "requirements.lock").read_text()
# A requirement goes on as long as its lines end in a backslash.
REQUIREMENTS = [entry for entry in re.split(r"(?<!\\)\n", LOCK) if entry.strip()]


def name_of(requirement: str) -> str:
    """As pip compares names."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_every_requirement_is_exact_and_has_a_hash() -> None:
    # Then
    assert len(REQUIREMENTS) > 50
    pinned = re.compile(r"[a-z0-9._-]+==[^\s;]+( ;[^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+")
    assert [entry for entry in REQUIREMENTS if not pinned.fullmatch(entry)] == []


@pytest.mark.parametrize(
    "address", ["http", "file:", "git+", "--index-url", "--extra-index-url", "--find-links", "@"]
)
def test_no_address_of_an_index_is_in_it(address: str) -> None:
    # Given: names of packages may begin like a protocol
    text = re.sub(r"(?m)^https?[a-z0-9_-]*==", "", LOCK)
    # Then
    assert address not in text


def test_every_dependency_is_in_it() -> None:
    # Given
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for extra in project["optional-dependencies"].values() for name in extra]
    # When
    locked = {name_of(entry) for entry in REQUIREMENTS}
    # Then
    assert {name_of(wanted) for wanted in [*project["dependencies"], *extras]} - locked == set()


def test_no_requirement_is_in_it_twice_for_the_same_environment() -> None:
    # When
    heads = [entry.split("\\")[0].strip() for entry in REQUIREMENTS]
    keys = [(name_of(head), head.partition(";")[2].strip()) for head in heads]
    # Then
    assert len(keys) == len(set(keys))
