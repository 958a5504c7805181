"""An id that every process on one database reads alike."""

from pathlib import Path
from shutil import copy

import pytest
from sqlalchemy import Engine

from artifact_pipeline.worker.sql.database_id import read_database_id
from artifact_pipeline.worker.sql.engine import make_engine
from tests.databases import Databases, role


def read(url: str) -> str | None:
    engine = make_engine(url)
    try:
        return read_database_id(engine)
    finally:
        engine.dispose()


def test_it_is_the_same_for_every_connection(engine: Engine) -> None:
    first = read_database_id(engine)
    engine.dispose()
    assert first
    assert read_database_id(engine) == first


def test_a_copy_on_the_same_server_has_another(databases: Databases, postgres_url: str) -> None:
    with databases.fresh() as url:
        assert read(url) != read(postgres_url)


def test_a_role_with_few_rights_reads_the_same(fresh_postgres_url: str) -> None:
    with role(fresh_postgres_url) as url:
        assert read(url) == read(fresh_postgres_url)


def test_a_file_has_the_same_by_every_path(sqlite_url: str, tmp_path: Path) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    (tmp_path / "link.db").symlink_to(file)
    assert read(f"sqlite:///{tmp_path / 'link.db'}") == read(sqlite_url)


def test_a_copy_of_a_file_has_another(sqlite_url: str, tmp_path: Path) -> None:
    file = copy(sqlite_url.removeprefix("sqlite:///"), tmp_path / "staging.db")
    assert read(f"sqlite:///{file}") != read(sqlite_url)


@pytest.mark.parametrize("url", ["sqlite://"])
def test_a_database_in_memory_has_none(url: str) -> None:
    assert read(url) is None
