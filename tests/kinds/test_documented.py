"""The documents list the kinds as the table has them."""

import re
from pathlib import Path

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind, KindSpec
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.routing import ids_of, queue_of, task_name
from artifact_pipeline.worker.workspace.places import source_place

DOCS = Path(__file__).parents[2] / "docs"
every_kind = pytest.mark.parametrize("kind", ArtifactKind)


def file_row(kind: ArtifactKind) -> str:
    """Return the kind's row in the first table of docs/concepts.md."""
    spec = kind.spec
    return _row(
        f"`{kind}`",
        spec.scope.value,
        f"`{spec.file_name.format(run_id='4')}`",
        spec.content_type.partition(";")[0],
        f"`{spec.packed_from.format(run_id='4')}/RUN*`" if spec.packed_from else "",
    )


def handling_row(kind: ArtifactKind) -> str:
    """Return the kind's row in the second table of docs/concepts.md."""
    spec = kind.spec
    return _row(
        f"`{kind}`",
        f"`{queue_of(kind)}`",
        f"`{spec.scope}s.{spec.column}`" if spec.column else "none",
        _yes(is_true=spec.from_client),
        _yes(is_true=spec.archived),
    )


def _row(*cells: str) -> str:
    return re.sub(r"  +", " ", f"| {' | '.join(cells)} |")


def _yes(*, is_true: bool) -> str:
    return "yes" if is_true else ""


def test_concepts_has_just_the_kinds() -> None:
    section = (DOCS / "concepts.md").read_text().split("\n## Kinds\n")[1].split("\n## ")[0]
    rows = re.findall(r"(?m)^\| `.*\|$", section)
    assert rows == [row_of(kind) for row_of in (file_row, handling_row) for kind in ArtifactKind]


@every_kind
def test_the_workspace_of_producers_shows_its_place(kind: ArtifactKind) -> None:
    artifact = Artifact(kind, 12, 4 if kind.belongs_to_run else None)
    layout = (DOCS / "producers.md").read_text().split("/job_12/\n")[1].split("\n\n")[0]
    assert re.search(rf"(?m)^ +{re.escape(source_place(artifact))}\b", layout)


@every_kind
@pytest.mark.parametrize("direction", [Direction.UPLOAD, Direction.DOWNLOAD])
def test_producers_lists_its_tasks(kind: ArtifactKind, direction: Direction) -> None:
    assert documented_tasks()[task_name(direction, kind)] == (
        list(ids_of(direction, Artifact(kind, 12, 4 if kind.belongs_to_run else None))),
        queue_of(kind),
    )


def documented_tasks() -> dict[str, tuple[list[str], str]]:
    """Return the arguments and the queue of each task in the tables of docs/producers.md."""
    found = {}
    rows = re.findall(
        r"(?m)^\| (`artifacts\..*) \| (.*) \| (.*) \|$", (DOCS / "producers.md").read_text()
    )
    for names, arguments, queues in rows:
        tasks, of_queues = (re.findall(r"`([\w.]+)`", cell) for cell in (names, queues))
        for number, task in enumerate(tasks):
            queue = of_queues[number if len(of_queues) > 1 else 0]
            found[task] = (re.findall(r"`(\w+)`", arguments), queue)
    return found


def test_every_field_of_a_row_is_explained() -> None:
    explained = re.findall(r"(?m)^\| `(\w+)` \|", (DOCS / "adding-a-kind.md").read_text())
    assert explained == list(KindSpec.__dataclass_fields__)
