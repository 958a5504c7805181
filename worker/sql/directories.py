"""The directory of a job as an SQL expression: what `JobS3Prefix.directory` is in Python."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, cast, func, literal, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from artifact_pipeline.domain.model.artifacts import Scheme
from artifact_pipeline.domain.model.keys import ROOT
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.tables import ArtifactRow


class time_path(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """A time plus an offset as the path of a directory, such as 2025/10/23/211500.

    Its sub-seconds are dropped. The column may be with or without a time zone, whatever the zone of
    the session.
    """

    type = String()
    inherit_cache = True

    def __init__(self, time: Any, offset: timedelta = timedelta(0)) -> None:  # noqa: ANN401 - a column
        super().__init__(time, literal(int(offset.total_seconds()), Integer))


@compiles(time_path, "postgresql")
def _postgresql(element: time_path, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    time, seconds = (compiler.process(each, **kwargs) for each in element.clauses)
    # The epoch of a time without a zone takes it for UTC, and of one with a zone converts it.
    utc = f"to_timestamp(floor(extract(epoch FROM {time})) + {seconds}) AT TIME ZONE 'UTC'"
    return f"to_char({utc}, 'YYYY/MM/DD/HH24MISS')"


@compiles(time_path, "sqlite")
def _sqlite(element: time_path, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    time, seconds = (compiler.process(each, **kwargs) for each in element.clauses)
    # Cut the sub-seconds off: strftime() would round the last of them up to the next second. An
    # offset at the end is part of the time; a Z means none.
    has_offset = f"{time} GLOB '*[+-][0-9][0-9]:[0-9][0-9]'"
    offset = f"CASE WHEN {has_offset} THEN substr({time}, -6) ELSE '' END"
    whole = f"substr({time}, 1, 19) || {offset}"
    return f"strftime('%Y/%m/%d/%H%M%S', {whole}, {seconds} || ' seconds')"


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
