"""The command line's root: `artifacts`."""

import sys
from importlib import import_module

import typer

from domain.errors import PipelineError

_GROUPS = ("batch", "db", "health", "jobs", "quarantine", "transfers")
_COMMANDS = ("demo", "dev", "doctor", "status")


def make_app(asked: str = "") -> typer.Typer:
    """The root, with all that there is below it.

    Args:
        asked: the one that is asked for. It is then the only one that is imported: `health live`,
            which containers run every few seconds, would spend a second on the others.
    """
    app = typer.Typer(
        name="artifacts",
        help="Queued, resumable transfers of a job's artifacts into its one S3 directory.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        callback=_root,
    )
    every = (*_GROUPS, *_COMMANDS)
    for name in (asked,) if asked in every else every:
        module = import_module(f"worker.cli.{name}")
        if name in _GROUPS:
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def _root() -> None:
    """Keep the root a group: Typer merges the only command into it."""


def main() -> None:
    """Run the command; an error of the pipeline is one line and exit status 1."""
    try:
        # The root has no options: what is asked for comes first, and anything else is for help.
        make_app(*sys.argv[1:2])()
    except PipelineError as error:
        line = " ".join(str(error).split())  # libpq's messages have several
        typer.echo(f"artifacts: {line}", err=True)
        sys.exit(1)
