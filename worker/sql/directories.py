"""The directory of a job as an SQL expression: what `JobS3Prefix.directory` is in Python."""

from typing import Any

from sqlalchemy import ColumnElement, String, cast, func, literal, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from domain.artifacts import Scheme
from domain.prefix import ROOT
from worker.sql.tables import ArtifactRow, JobRow


class time_path(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """A time as the path of a directory, such as 2025/10/23/211500, without its sub-seconds.

    The column may be with or without a time zone, whatever the zone of the session.
    """

    type = String()
    inherit_cache = True


@compiles(time_path, "postgresql")
def _postgresql(element: time_path, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    time = compiler.process(element.clauses, **kwargs)
    # The epoch of a time without a zone takes it for UTC, and of one with a zone converts it.
    utc = f"to_timestamp(floor(extract(epoch FROM {time}))) AT TIME ZONE 'UTC'"
    return f"to_char({utc}, 'YYYY/MM/DD/HH24MISS')"


@compiles(time_path, "sqlite")
def _sqlite(element: time_path, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    time = compiler.process(element.clauses, **kwargs)
    # By text, for strftime() rounds the last half millisecond of a second up to the next one.
    day, hour = f"replace(substr({time}, 1, 10), '-', '/')", f"substr({time}, 12, 8)"
    return f"({day} || '/' || replace({hour}, ':', ''))"


def job_directory() -> ColumnElement[str]:
    """Return the directory of the job whose row the statement reads."""
    path: ColumnElement[str] = time_path(JobRow.created_at)
    return literal(ROOT) + cast(JobRow.id, String) + "/" + path + "/"


def is_own(directory: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether the row of `artifacts` is of the job with that directory.

    It is the rule of `Ownership.owns_row`, except for rows of scheme `legacy`, which no version of
    the pipeline writes.
    """
    within = func.substr(ArtifactRow.key, 1, func.length(directory)) == directory
    return or_(ArtifactRow.scheme == Scheme.LEGACY.value, within)
