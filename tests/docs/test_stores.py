"""docs/stores.md has what the probe asks, and what it found on the servers that tests run."""

import re
from pathlib import Path

import pytest

from artifact_pipeline.worker.diagnosis.probe.table import CHECKS, WAYS_AROUND, Check
from tests.stores.test_probe import OF_MOTO, OF_RCLONE

ROOT = Path(__file__).parents[2]
STORES = (ROOT / "docs/stores.md").read_text()


def table(first: str) -> list[list[str]]:
    """The rows of the table whose first heading this is, with the headings."""
    _, _, behind = STORES.partition(f"\n| {first} |")
    lines = f"| {first} |{behind}".partition("\n\n")[0].splitlines()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if not line.startswith("| ---")]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]


def setting_of(check: Check) -> str:
    return f"`{check.way_around.setting}`" if check.way_around else f"none: {check.otherwise}"


def test_the_checks_are_those_of_the_probe() -> None:
    documented = table("finding")[1:]
    assert documented == [[c.name, c.asks, c.promise, setting_of(c)] for c in CHECKS]


def test_each_setting_says_what_it_weakens_and_costs() -> None:
    assert table("setting")[1:] == [
        [f"`{way.setting}`", way.weakens or "nothing", way.costs or "nothing"]
        for way in WAYS_AROUND
    ]


@pytest.mark.parametrize(
    ("store", "found"), [("ministack", set()), ("moto", OF_MOTO), ("rclone", OF_RCLONE)]
)
def test_the_matrix_has_what_the_tests_find(store: str, found: set[tuple[str, str]]) -> None:
    headings, *rows = table("check")
    column = headings.index(store)
    words = {"no": "error", "part": "warning"}
    documented = {(words[row[column]], row[0]) for row in rows if row[column] in words}
    assert documented == found
    assert [row[0] for row in rows][:-1] == [c.name.removeprefix("probe ") for c in CHECKS]


@pytest.mark.parametrize("page", ["README.md", "docs/operations/s3.md"])
def test_other_pages_lead_to_it(page: str) -> None:
    assert "stores.md" in (ROOT / page).read_text()
