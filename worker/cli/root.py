"""The root of the commands, and how wrong usage is answered."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any

import typer

from worker.cli.lazy import group_app, lazy_group

_ABORTED = 130


def make_app(commands: Mapping[str, tuple[str, str]]) -> typer.Typer:
    """Return the root with these commands, of which none is imported yet."""
    app = group_app(
        "Queued, resumable transfers of a job's artifacts into its one S3 directory.",
        name="artifacts",
        cls=lazy_group(commands),
        add_completion=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    return app


def run(commands: Mapping[str, tuple[str, str]]) -> int:
    """Run what the arguments name, and return its exit status."""
    try:
        status: Any = make_app(commands)(prog_name="artifacts", standalone_mode=False)
    except typer.TyperException as error:
        return _refuse(error)
    except typer.Abort:
        return _ABORTED
    return status if isinstance(status, int) else 0


def _refuse(error: typer.TyperException) -> int:
    """Say in one line what is wrong, and in another where the help is."""
    context: Any = getattr(error, "ctx", None)
    if context is None or type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        return error.exit_code
    line = " ".join(error.format_message().split())
    typer.echo(f"{context.command_path}: {line}", err=True)
    typer.echo(f"Try '{context.command_path} --help' for help.", err=True)
    return error.exit_code


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 - Typer calls it
    if is_wanted:
        typer.echo(f"artifacts {version('artifact-pipeline')}")
        raise typer.Exit


def _root(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show it and exit."),
    ] = False,
) -> None:
    """Options of the root alone."""
