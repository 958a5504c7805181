"""Every command there is, as the command line itself knows them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import typer

from artifact_pipeline.worker.cli.lazy import LazyCommand
from artifact_pipeline.worker.cli.main import COMMANDS
from artifact_pipeline.worker.cli.root import make_app


@cache
def root() -> Any:
    return typer.main.get_command(make_app(COMMANDS, add_completion=False))


@cache
def commands() -> tuple[tuple[str, Any], ...]:
    """Return each command that is no group, by its path: `jobs uploads list`."""
    return tuple(_below(root(), ()))


def _below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    real = command.load() if isinstance(command, LazyCommand) else command
    if not hasattr(real, "commands"):
        yield " ".join(path), real
        return
    for name, each in real.commands.items():
        yield from _below(each, (*path, name))


def parse(words: list[str]) -> None:
    """Parse the words after `artifacts`, and run nothing. Raises: typer.TyperException."""
    context = root().make_context("artifacts", list(words))
    while rest := [*context._protected_args, *context.args]:
        name, command, rest = context.command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
        if not hasattr(context.command, "commands"):
            return
    raise typer.BadParameter(f"{words}: only a group")
