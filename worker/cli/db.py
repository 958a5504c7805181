"""`artifacts db`: the database."""

from worker.cli.lazy import group_app
from worker.cli.operator import database
from worker.cli.output import say

app = group_app("The database.")


@app.command("upgrade")
def upgrade_command() -> None:
    """Create or update the pipeline's tables; the platform's are left as they are."""
    from worker.sql.migrate import upgrade  # noqa: PLC0415 - the help needs no Alembic

    upgrade(database(makes_file=True).engine)
    say("the database is up to date")
