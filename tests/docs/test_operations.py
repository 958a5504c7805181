"""What the documents say of commands and grants is what the code needs."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from artifact_pipeline.worker.sql import grants
from artifact_pipeline.worker.sql.platform import WRITTEN
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (`\w+`[^|]*) \| `([A-Z, ]+)`", re.MULTILINE)
DATABASE = (ROOT / "docs/operations/database.md").read_text()


def names(columns: Iterable[Any], table: str) -> str:
    return ", ".join(each.key for each in columns if each.class_.__tablename__ == table)


def test_every_command_of_a_worker_logs_what_it_does() -> None:
    texts = [path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))]
    commands = re.findall(r"celery -A artifact_pipeline\.worker\.app worker(.*)", "\n".join(texts))
    assert len(commands) > 1
    assert all(options.startswith(" --loglevel INFO") for options in commands)


def test_the_table_of_grants_has_those_of_the_pipelines_tables() -> None:
    documented = {
        table: tuple(privileges.split(", "))
        for tables, privileges in ROW.findall(DATABASE)
        for table in re.findall(r"`(\w+)`", tables)
    }
    assert documented == {table: tuple(needed) for table, needed in grants.TABLES.items()}


def test_the_table_of_grants_has_the_columns_of_the_platforms_tables() -> None:
    for table in (JobRow.__tablename__, RunRow.__tablename__):
        read, written = names(grants._READ, table), names(WRITTEN, table)
        assert f"`SELECT ({read})`, `UPDATE ({written})`" in DATABASE
