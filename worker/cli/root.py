"""The root of the commands, and how wrong usage is answered."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from artifact_pipeline.worker.cli.lazy import group_app, lazy_group
from artifact_pipeline.worker.cli.output import note
from artifact_pipeline.worker.composition.operator import close_all

_ABORTED = 130


def make_app(
    commands: Mapping[str, tuple[str, str]], *, add_completion: bool = True
) -> typer.Typer:
    """Return the root with these commands, without importing any of them."""
    app = group_app(
        "Queued, resumable transfers of a job's artifacts into its one S3 directory.",
        name="artifacts",
        cls=lazy_group(commands),
        add_completion=add_completion,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    return app


def run(commands: Mapping[str, tuple[str, str]]) -> int:
    """Run what the arguments name, and return its exit status."""
    app = make_app(commands, add_completion=_is_about_the_root(sys.argv[1:]))
    try:
        status: Any = app(prog_name="artifacts", standalone_mode=False)
    except typer.TyperException as error:
        return _refuse(error)
    except typer.Abort:
        return _ABORTED
    finally:
        close_all()
    return status if isinstance(status, int) else 0


def _is_about_the_root(arguments: Sequence[str]) -> bool:
    # Typer imports pydantic to find that the options of the completion are not given.
    is_completing = "_ARTIFACTS_COMPLETE" in os.environ
    return is_completing or not arguments or arguments[0].startswith("-")


def _refuse(error: typer.TyperException) -> int:
    """Say in one line what is wrong, and in another where the help is."""
    context: Any = getattr(error, "ctx", None)
    if context is None or type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        return error.exit_code
    if isinstance(error, typer.BadParameter):
        error.message = _plain(error)
    line = " ".join(error.format_message().split())
    note(f"{context.command_path}: {line}")
    note(f"Try '{context.command_path} --help' for help.")
    return error.exit_code


_PLAIN = {
    "int_parsing": "{input!r} is not a whole number",
    "int_parsing_size": "{input!r} is too large a number",
    "int_from_float": "{input!r} is not a whole number",
    "float_parsing": "{input!r} is not a number",
    "finite_number": "{input!r} is not a finite number",
    "greater_than_equal": "{input} is less than {ge}, the smallest that is allowed",
    "less_than_equal": "{input} is more than {le}, the largest that is allowed",
    "value_error": "{error}",
}
"""By pydantic's type of error."""


def _plain(error: typer.BadParameter) -> str:
    """Return what is wrong with a value, in words that quote it; Typer's are pydantic's."""
    errors = getattr(error.__cause__, "errors", None)
    if errors is None:
        return str(error.message)
    first = errors()[0]
    text: str = _PLAIN.get(first["type"], "{input!r}: " + first["msg"])
    return text.format_map({"input": first["input"], **first.get("ctx", {})})


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 - Typer calls it
    if is_wanted:
        from importlib.metadata import version  # noqa: PLC0415 - it takes long to import

        typer.echo(f"artifacts {version('artifact-pipeline')}")
        raise typer.Exit


def _root(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options of the root alone."""
