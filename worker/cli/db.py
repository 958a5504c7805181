"""`artifacts db`: the database."""

from typing import Annotated

import typer

from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.output import say
from artifact_pipeline.worker.composition.operator import database

app = group_app("Create and update the pipeline's tables.")


@app.command("upgrade")
def upgrade_command(
    *,
    with_platform_tables: Annotated[
        bool,
        typer.Option(
            "--with-platform-tables",
            help="Create missing tables jobs and runs, for a demo or tests. "
            "The platform's own migrations fail afterwards.",
        ),
    ] = False,
) -> None:
    """Create or update the pipeline's tables, and do not change the platform's."""
    from artifact_pipeline.worker.sql.migrate import upgrade  # noqa: PLC0415 - the help needs no Alembic

    sql = database(makes_file=True)
    upgrade(sql.engine, with_platform_tables=with_platform_tables)
    say("the database is up to date")
