"""The database's own clock, so that workers whose clocks differ agree on every lease."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, DateTime, Float, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from artifact_pipeline.worker.sql.platform_tables import UtcDateTime


class utc_now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """Now in naive UTC on the database's clock, plus an offset."""

    type = DateTime()
    inherit_cache = True

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        # Nearly all statements mean now itself: each parameter costs the client and the server.
        super().__init__(*([literal(offset.total_seconds(), Float)] if offset else []))


@compiles(utc_now, "postgresql")
def _postgresql(element: utc_now, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    # Do not use clock_timestamp(): it is volatile, and no index would serve a comparison with it.
    now = "timezone('utc', statement_timestamp())"
    seconds = compiler.process(element.clauses, **kwargs)
    return f"({now} + make_interval(secs => {seconds}))" if seconds else now


@compiles(utc_now, "sqlite")
def _sqlite(element: utc_now, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    seconds = compiler.process(element.clauses, **kwargs)
    # SQLAlchemy keeps six digits of sub-seconds as text; fewer would compare wrongly.
    later = f", {seconds} || ' seconds'" if seconds else ""
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now'{later})"


class utc_of(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """A column of the platform as a time that compares with Python's.

    In SQLite times are text: of the platform's some may have an offset, or be of another form.
    """

    type = UtcDateTime()
    inherit_cache = True


@compiles(utc_of, "postgresql")
def _same(element: utc_of, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    return compiler.process(element.clauses, **kwargs)


@compiles(utc_of, "sqlite")
def _in_our_form(element: utc_of, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    time = compiler.process(element.clauses, **kwargs)
    is_ours = f"{time} GLOB '????-??-?? ??:??:??.??????'"
    return f"CASE WHEN {is_ours} THEN {time} ELSE strftime('%Y-%m-%d %H:%M:%f000', {time}) END"


class seconds_between(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """The seconds from one time of the pipeline's to a later one; NULL if one of them is."""

    type = Float()
    inherit_cache = True


@compiles(seconds_between, "postgresql")
def _seconds_postgresql(element: seconds_between, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    begin, end = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"CAST(extract(epoch FROM {end} - {begin}) AS double precision)"


@compiles(seconds_between, "sqlite")
def _seconds_sqlite(element: seconds_between, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    begin, end = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"((julianday({end}) - julianday({begin})) * 86400.0)"


class minute_of(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it is
    """The minute of a time of the pipeline's, counted from 1970; NULL of NULL."""

    type = BigInteger()
    inherit_cache = True


@compiles(minute_of, "postgresql")
def _minute_postgresql(element: minute_of, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    time = compiler.process(element.clauses, **kwargs)
    return f"CAST(floor(extract(epoch FROM {time}) / 60) AS bigint)"


@compiles(minute_of, "sqlite")
def _minute_sqlite(element: minute_of, compiler: SQLCompiler, **kwargs: Any) -> str:  # noqa: ANN401
    time = compiler.process(element.clauses, **kwargs)
    return f"(CAST(strftime('%s', {time}) AS integer) / 60)"


def read_clock(connection: Connection) -> datetime:
    """Return the time now, in aware UTC."""
    return connection.execute(select(utc_now())).scalar_one().replace(tzinfo=UTC)
