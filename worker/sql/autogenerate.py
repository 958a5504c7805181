"""For the platform's Alembic: keep the pipeline's tables out of its autogenerate."""

from collections.abc import Mapping

from artifact_pipeline.worker.sql.tables import PipelineBase
from artifact_pipeline.worker.sql.version import VERSION_TABLE

PIPELINE_TABLES = frozenset({VERSION_TABLE, *PipelineBase.metadata.tables})


def include_name(name: str | None, type_: str, parent_names: Mapping[str, str | None]) -> bool:  # noqa: ARG001 - Alembic's signature
    """Return whether Alembic may compare this object of the database with the platform's models.

    For `context.configure(include_name=…)` in the platform's `env.py`. Without it, autogenerate
    writes a migration that drops the pipeline's tables, because no model of the platform has them.
    """
    return type_ != "table" or name not in PIPELINE_TABLES
