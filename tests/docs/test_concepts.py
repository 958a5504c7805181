"""The platform's columns and enums, as the documents list them, are those that the code uses."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import ACTIVE_STATES, Direction, TransferState
from artifact_pipeline.domain.platform.use_cases import (
    submit_job,
    submit_job_config,
    submit_run_config,
)
from artifact_pipeline.worker.sql import grants
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform import WRITTEN, SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.platform_tables import JOB_STATUS, RUN_STATUS, JobRow, RunRow
from tests.domain.producing import ProducingWorld
from tests.domain.world import JOB

ROOT = Path(__file__).parents[2]
CONCEPTS = (ROOT / "docs/concepts.md").read_text()
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


@pytest.mark.parametrize(
    ("use_case", "call"),
    [
        ("submit_job", lambda jobs, _, locations: submit_job(jobs, locations, job_id=12)),
        (
            "submit_job_config",
            lambda jobs, _, locations: submit_job_config(jobs, locations, job_id=12),
        ),
        (
            "submit_run_config",
            lambda jobs, runs, locations: submit_run_config(
                jobs, runs, locations, job_id=12, run_id=4
            ),
        ),
    ],
)
def test_the_columns_that_producers_write_are_listed(
    sqlite_url: str, use_case: str, call: Callable[..., object]
) -> None:
    # Given
    engine = make_engine(sqlite_url)
    with Session(engine) as session, session.begin():
        session.add(JobRow(id=12, user_id=1, status="CREATED", created_at=JOB.created_at))
        session.flush()
        session.add(RunRow(id=4, job_id=12, user_id=1, status="QUEUED", created_at=JOB.created_at))
    before = rows(engine)
    # When
    call(SqlJobs(engine), SqlRuns(engine), ProducingWorld().locations)
    # Then
    written = {name for name, value in rows(engine).items() if value != before[name]}
    engine.dispose()
    assert {name for name, (_, by) in COLUMNS.items() if f"by `{use_case}`" in by} == written


def rows(engine: Engine) -> dict[str, object]:
    """Return every column of the one job and of the one run."""
    found: dict[str, object] = {}
    with engine.connect() as connection:
        for of in (JobRow, RunRow):
            row = connection.execute(select(of.__table__)).one()
            found |= {f"{of.__tablename__}.{name}": row._mapping[name] for name in row._fields}
    return found


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


def test_every_page_of_the_reference_links_to_the_glossary() -> None:
    pages = {page.name: page.read_text() for page in (ROOT / "docs/reference").glob("*.md")}
    assert len(pages) > 5
    assert [name for name, text in pages.items() if "(../glossary.md)" not in text] == []


def test_the_glossary_is_sorted_and_has_each_word_once() -> None:
    words = re.findall(r"(?m)^\| ([a-z ]+) \|", (ROOT / "docs/glossary.md").read_text())[1:]
    assert len(words) > 25
    assert words == sorted(set(words))
