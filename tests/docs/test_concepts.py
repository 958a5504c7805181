"""The platform's columns and enums, as the documents list them, are those that the code uses."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from domain.artifacts import ArtifactKind
from domain.transfers import ACTIVE_STATES, Direction, TransferState
from worker.sql import grants
from worker.sql.platform import WRITTEN
from worker.sql.tables import JOB_STATUS, RUN_STATUS, JobRow, RunRow

CONCEPTS = (Path(__file__).parents[2] / "docs/concepts.md").read_text()
_COLUMN = re.compile(r"(?m)^\| `(\w+\.\w+)` \| ([^|]+) \| (yes)? ?\| ?(by [^|]+)? ?\|$")
_ENUM = re.compile(r"(?m)^\| `(\w+enum)` \| ([A-Z_, ]+) \|")
COLUMNS = {name: (read, written) for name, _, read, written in _COLUMN.findall(CONCEPTS)}


def names(columns: Iterable[Any]) -> set[str]:
    return {f"{each.class_.__tablename__}.{each.key}" for each in columns}


def test_the_columns_that_are_read_are_listed() -> None:
    assert {name for name, (read, _) in COLUMNS.items() if read} == names(grants._READ)


def test_the_columns_that_workers_write_are_listed() -> None:
    listed = {name for name, (_, written) in COLUMNS.items() if "by workers" in written}
    assert listed == names(WRITTEN)


def test_the_columns_of_submit_job_are_listed() -> None:
    listed = {name for name, (_, written) in COLUMNS.items() if "by `submit_job`" in written}
    assert listed == names([JobRow.status, JobRow.updated_at])


def test_every_listed_column_is_one() -> None:
    known = {
        f"{row.__tablename__}.{column.name}"
        for row in (JobRow, RunRow)
        for column in row.__table__.columns
    }
    assert COLUMNS.keys() <= known


def test_the_enums_have_the_listed_members() -> None:
    listed = {name: members.split(", ") for name, members in _ENUM.findall(CONCEPTS)}
    assert listed == {enum.name: list(enum.enums) for enum in (JOB_STATUS, RUN_STATUS)}


def test_every_kind_direction_and_state_is_explained() -> None:
    for word in (*ArtifactKind, *Direction, *TransferState):
        assert f"`{word}`" in CONCEPTS
    active = " and ".join(f"`{state}`" for state in ("waiting", "running"))
    assert f"`requested`, {active} are active" in CONCEPTS
    assert set(ACTIVE_STATES) == {"requested", "waiting", "running"}
