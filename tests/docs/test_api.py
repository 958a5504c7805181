"""The public names: the documents list all of them, and the changelog tells of each change."""

import ast
import re
from inspect import getdoc
from pathlib import Path

import pytest

import artifact_pipeline
from artifact_pipeline.tasks.base import PipelineTask

ROOT = Path(__file__).parents[2]
NAMES = sorted(artifact_pipeline.__all__)
CHANGES = re.compile(r"^- Public names (added|removed): ((?:[^-\n].*\n)+)", re.MULTILINE)


def named(text: str) -> list[str]:
    return re.findall(r"`(\w+)`", text)


def documented() -> list[str]:
    """Return what the tables list, and the paragraph of the tasks."""
    page = (ROOT / "docs/api.md").read_text()
    rows = re.findall(r"^\| (`.+?) \|", page, re.MULTILINE)
    [tasks] = re.findall(r"^## Tasks\n\n(.+?): Celery tasks", page, re.MULTILINE | re.DOTALL)
    return [name for text in (*rows, tasks) for name in named(text)]


def test_the_page_lists_every_public_name_once() -> None:
    assert sorted(documented()) == NAMES


def test_the_changelog_tells_of_every_name_that_came_or_went() -> None:
    # Given the changes, the latest first
    told: set[str] = set()
    for change, names in reversed(CHANGES.findall((ROOT / "CHANGELOG.md").read_text())):
        told = told | set(named(names)) if change == "added" else told - set(named(names))
    # Then what they come to is what there is
    assert sorted(told) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_says_what_it_is(name: str) -> None:
    public = getattr(artifact_pipeline, name)
    said = public.name if isinstance(public, PipelineTask) else getdoc(public)
    assert said
    assert not said.startswith((f"{name}(", "Args:", "Attributes:", "Raises:"))


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))]
)
def test_examples_import_nothing_else(page: str) -> None:
    # Given
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE
    )
    # When
    modules = {
        node.module
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom)
    }
    # Then
    ours = {module for module in modules if str(module).split(".")[0] == "artifact_pipeline"}
    assert ours <= {"artifact_pipeline"}
