"""What the mappings of the pipeline's own tables have in common."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Index, Integer, TextClause
from sqlalchemy.orm import DeclarativeBase, QueryableAttribute


class PipelineBase(DeclarativeBase):
    """Tables that belong to the pipeline.

    No foreign key leads to the platform's: the request of an unknown job must be recordable, and
    deleting a job must stay the platform's affair.
    """


# SQLite counts up only a column whose type is exactly INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")


def partial_index(
    condition: ColumnElement[bool] | TextClause,
    name: str,
    *columns: ColumnElement[Any] | QueryableAttribute[Any],
    unique: bool = False,
) -> None:
    """Make a partial index, in both databases on the same condition."""
    Index(name, *columns, unique=unique, postgresql_where=condition, sqlite_where=condition)
