"""Copies of databases that are made once, for tests that change their tables."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy

from sqlalchemy import Engine

from artifact_pipeline.worker.sql.engine import make_engine
from tests.databases import Databases

Make = Callable[[Engine], object]


class Copies:
    """Of databases of both dialects.

    Args:
        databases: of PostgreSQL.
        directory: of the files of SQLite that are copied.
    """

    def __init__(self, databases: Databases, directory: Path) -> None:
        self._databases = databases
        self._directory = directory
        self._files: set[Path] = set()

    @contextmanager
    def of(self, kind: str, make: Make, dialect: str, directory: Path) -> Iterator[Engine]:
        """Copy a database.

        Args:
            kind: of the tables; each has one database in each dialect.
            make: is called with the engine of an empty database, once.
            dialect: sqlite or postgresql.
            directory: of a copied file.
        """
        if dialect == "sqlite":
            with _opened(f"sqlite:///{copy(self._file(kind, make), directory)}") as engine:
                yield engine
        else:
            template = self._databases.template(kind, lambda url: _make(make, url))
            with self._databases.fresh(template) as url, _opened(url) as engine:
                yield engine

    def _file(self, kind: str, make: Make) -> Path:
        path = self._directory / f"{kind}.db"
        if path not in self._files:
            _make(make, f"sqlite:///{path}")
            self._files.add(path)
        return path


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _make(make: Make, url: str) -> None:
    with _opened(url) as engine:
        make(engine)
