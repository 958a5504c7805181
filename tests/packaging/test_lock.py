"""The lock files: exact, hashed, and silent about where packages come from."""

import re
import tomllib

import pytest

from tests.packaging.conftest import ROOT

# A requirement goes on as long as its lines end in a backslash.
LOCKS = {
    name: [entry for entry in re.split(r"(?<!\\)\n", (ROOT / name).read_text()) if entry.strip()]
    for name in ("requirements.lock", "requirements-runtime.lock", "requirements-demo.lock")
}
ALL, RUNTIME, DEMO = LOCKS.values()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
every_lock = pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)


def name_of(requirement: str) -> str:
    """As pip compares names."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def names_of(requirements: list[str]) -> set[str]:
    return {name_of(requirement) for requirement in requirements}


@every_lock
def test_every_requirement_is_exact_and_has_a_hash(lock: list[str]) -> None:
    # Then
    assert len(lock) > 30
    name = r"[a-z0-9._-]+(\[[a-z0-9, -]+\])?"
    pinned = re.compile(name + r"==[^\s;]+( ;[^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+")
    assert [entry for entry in lock if not pinned.fullmatch(entry)] == []


@every_lock
@pytest.mark.parametrize(
    "address", ["http", "file:", "git+", "--index-url", "--extra-index-url", "--find-links", "@"]
)
def test_no_address_of_an_index_is_in_it(lock: list[str], address: str) -> None:
    # Given: names of packages may contain a protocol
    text = re.sub(r"(?m)^[a-z0-9_-]*http[a-z0-9_-]*(\[.*\])?==", "", "\n".join(lock))
    # Then
    assert address not in text


def test_every_dependency_is_in_it() -> None:
    # Given
    extras = [name for extra in PROJECT["optional-dependencies"].values() for name in extra]
    # Then
    assert names_of([*PROJECT["dependencies"], *extras]) - names_of(ALL) == set()


@pytest.mark.parametrize(
    ("lock", "chosen"),
    [
        (RUNTIME, ("monitoring", "metrics", "tracing", "web", "crc32c", "pgmq", "sqs")),
        (DEMO, ("embedded",)),
    ],
)
def test_a_part_has_what_it_needs_and_nothing_to_develop_with(
    lock: list[str], chosen: tuple[str, ...]
) -> None:
    # Given
    extras = PROJECT["optional-dependencies"]
    of_extras = [name for extra in chosen for name in extras[extra]]
    needed = names_of([*PROJECT["dependencies"], *of_extras])
    # kombu needs packaging, ministack pyyaml, OpenTelemetry requests
    dev = names_of(extras["dev"]) - {"packaging", "pyyaml", "requests"}
    others = dev | names_of(extras["embedded"]) - needed
    # Then
    assert needed - names_of(lock) == set()
    assert others & names_of(lock) == set()


@pytest.mark.parametrize("part", [RUNTIME, DEMO], ids=["runtime", "demo"])
def test_what_runs_is_what_was_tested(part: list[str]) -> None:
    # Given the version and hashes of each, without its extras and the platforms that want it
    runs, tested = (
        {re.sub(r" ; [^\\]+(?= )|\[.*?\](?===)", "", entry) for entry in lock}
        for lock in (part, ALL)
    )
    # Then
    assert runs - tested == set()


@every_lock
def test_no_requirement_is_in_it_twice_for_the_same_environment(lock: list[str]) -> None:
    # When
    heads = [entry.split("\\")[0].strip() for entry in lock]
    keys = [(head.partition("==")[0], head.partition(";")[2].strip()) for head in heads]
    # Then
    assert len(keys) == len(set(keys))


@every_lock
def test_a_requirement_with_an_extra_is_in_it_without_it_as_well(lock: list[str]) -> None:
    # Given
    with_extra = [entry for entry in lock if "[" in entry]
    assert with_extra
    # Then: an older pip takes the two for two packages
    assert {re.sub(r"\[.*?\]", "", entry) for entry in with_extra} <= set(lock)
