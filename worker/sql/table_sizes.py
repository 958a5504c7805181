"""How large the pipeline's tables are."""

from typing import Any

from sqlalchemy import Connection, func, literal, select, text, union_all

from artifact_pipeline.domain.maintenance.pipeline_metrics import TableFigures
from artifact_pipeline.worker.sql.tables import PipelineBase

_NAMES = sorted(PipelineBase.metadata.tables)
# What PostgreSQL knows already; counting ten million rows would take seconds. Before the first
# ANALYZE, `reltuples` is -1, and the statistics have the rows that were inserted so far.
_IN_CATALOGUE = text("""
SELECT relname AS name,
       CAST(CASE WHEN reltuples < 0 THEN pg_stat_get_live_tuples(oid) ELSE reltuples END AS bigint)
         AS rows,
       pg_stat_get_tuples_inserted(oid) AS inserted,
       pg_stat_get_tuples_deleted(oid) AS deleted,
       pg_total_relation_size(oid) AS size
  FROM pg_class
 WHERE oid IN (SELECT to_regclass(name) FROM unnest(CAST(:names AS text[])) AS listed(name))
""")


def read_tables(connection: Connection) -> dict[str, TableFigures]:
    """Return the figures of each table: estimates of PostgreSQL, counts of SQLite."""
    if connection.dialect.name != "postgresql":
        return {row.name: TableFigures(rows=row.number) for row in connection.execute(_counted())}
    return {
        row.name: TableFigures(
            rows=row.rows, inserted=row.inserted, deleted=row.deleted, size=row.size
        )
        for row in connection.execute(_IN_CATALOGUE, {"names": _NAMES})
    }


def _counted() -> Any:  # noqa: ANN401 - a union
    return union_all(
        *(
            select(literal(name).label("name"), func.count().label("number")).select_from(table)
            for name, table in sorted(PipelineBase.metadata.tables.items())
        )
    )
