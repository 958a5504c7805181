"""The workers that `artifacts dev` starts for so many cores."""

import re
from pathlib import Path

import pytest

from artifact_pipeline import celeryconfig
from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.worker.dev.layout import LAYOUT, planned_processes, usable_cores

DEPLOYMENT = Path(__file__).parents[2] / "docs/operations/deployment.md"


def test_every_queue_has_one_worker() -> None:
    queues = [queue for plan in LAYOUT for queue in plan.queues]
    assert sorted(queues) == sorted(queue.name for queue in celeryconfig.task_queues)


def test_without_the_option_each_worker_has_the_same() -> None:
    assert planned_processes(None, 3) == {plan.name: 3 for plan in LAYOUT}


def test_auto_is_for_the_cores_of_this_machine() -> None:
    assert planned_processes("auto", 2) == planned_processes(str(usable_cores()), 2)


@pytest.mark.parametrize("cores", [1, 2, 4, 8])
def test_the_documentation_names_the_processes_for_so_many_cores(cores: int) -> None:
    # Given the table of the documentation, a row for each number of cores
    cells = r"(\d+ \| \d+ \| \d+ \| \d+)"
    row = re.search(rf"^\| {cores} \| {cells} \|$", DEPLOYMENT.read_text(), re.MULTILINE)
    assert row is not None
    # Then
    documented = [int(cell) for cell in row[1].split(" | ")]
    assert documented == list(planned_processes(str(cores), 2).values())


@pytest.mark.parametrize("wrong", ["0", "65", "-1", "two", "", "1.5", "²"])
def test_what_is_no_number_of_cores_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"--workers .*: give auto, or a number of cores"):
        planned_processes(wrong, 2)
