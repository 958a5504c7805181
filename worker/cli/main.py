"""The command line's root: `artifacts`."""

import sys

import typer

from domain.errors import PipelineError
from worker.cli import batch, db, demo, dev, doctor, health, jobs, quarantine

app = typer.Typer(
    name="artifacts",
    help="Queued, resumable transfers of a job's artifacts into its one S3 directory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(batch.app, name="batch")
app.add_typer(db.app, name="db")
app.add_typer(health.app, name="health")
app.add_typer(jobs.app, name="jobs")
app.add_typer(quarantine.app, name="quarantine")
app.command("demo")(demo.demo)
app.command("dev")(dev.dev)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command; an error of the pipeline is one line and exit status 1."""
    try:
        app()
    except PipelineError as error:
        line = " ".join(str(error).split())  # libpq's messages have several
        typer.echo(f"artifacts: {line}", err=True)
        sys.exit(1)
