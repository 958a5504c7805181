"""What the mappings of the pipeline's own tables have in common."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Index, Integer, String, TextClause
from sqlalchemy.orm import DeclarativeBase, Mapped, QueryableAttribute, mapped_column

from artifact_pipeline.worker.sql.platform_tables import UtcDateTime


class PipelineBase(DeclarativeBase):
    """Tables that belong to the pipeline.

    No foreign key leads to the platform's: the request of an unknown job must be recordable, and
    deleting a job must stay the platform's affair.
    """


class Failures:
    """What failed just now; what works has no row."""

    endpoint: Mapped[str] = mapped_column(String(255), primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[datetime] = mapped_column(UtcDateTime)


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
