"""`artifacts db`: the database."""

import typer

from worker.settings import DatabaseSettings, load
from worker.sql.engine import make_engine
from worker.sql.migrate import upgrade

app = typer.Typer(help="The database.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `upgrade` a command of its own: Typer merges a group's only command into the group."""


@app.command("upgrade")
def upgrade_command() -> None:
    """Create or update the pipeline's tables; the platform's are left as they are."""
    upgrade(make_engine(load(DatabaseSettings).database_url))
    typer.echo("the database is up to date")
