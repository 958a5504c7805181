"""What docs/compatibility.md says was run was run by a test that exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/compatibility.md").read_text()
ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)
TESTED, _heading, UNTESTED = PAGE.partition("## Known not to work")
NOT_RUN = "not run"


def rows(text: str) -> list[list[str]]:
    """Return the cells of each row, without the heads of tables."""
    found = [[cell.strip() for cell in row.split("|")] for row in ROW.findall(text)]
    heads = {number - 1 for number, row in enumerate(found) if set(row) == {"---"}}
    return [row for number, row in enumerate(found) if number not in heads and set(row) != {"---"}]


NAMES = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))


@cache
def defined(path: Path) -> set[str]:
    """Return the tests of a file, those of classes with the class's name before them."""
    module = ast.parse(path.read_text())
    functions = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    methods = {
        f"{each.name}::{node.name}"
        for each in module.body
        if isinstance(each, ast.ClassDef)
        for node in each.body
        if isinstance(node, ast.FunctionDef)
    }
    return functions | methods


@pytest.mark.parametrize("name", NAMES)
def test_each_test_exists(name: str) -> None:
    file, _, test = name.partition("::")
    assert test in defined(ROOT / file)


def test_each_row_names_its_test() -> None:
    without = [row[0] for row in rows(TESTED) if "`tests/" not in row[-1]]
    assert without == [row[0] for row in rows(TESTED) if row[2].startswith(NOT_RUN)]
    assert len(rows(TESTED)) > len(without) + 20


def test_each_row_of_what_does_not_work_has_its_reason() -> None:
    assert len(rows(UNTESTED)) > 5
    assert all(row[1] for row in rows(UNTESTED))
