"""Commands that are imported when they run, not when the help lists them."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_UNCUT = 10_000


class LazyCommand(TyperCommand):
    """A command or a group of another module, whose help line is known in advance.

    The module has an `app`, or else a function with the command's name.
    """

    def __init__(self, name: str, module: str, help_line: str) -> None:
        super().__init__(name, help=help_line)
        self._module = module

    def load(self) -> Any:  # noqa: ANN401 - Typer exports no name for its commands' class
        """Import the module and return the real command."""
        module = import_module(self._module)
        app = getattr(module, "app", None)
        if app is None:
            app = plain_app()
            app.command(self.name)(getattr(module, str(self.name)))
        app.rich_markup_mode = None
        return typer.main.get_command(app)

    def make_context(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as its base
        """Hand over to the real command, when one runs, or is completed by the shell."""
        return self.load().make_context(*args, **options)


class PlainGroup(TyperGroup):
    """A group whose help is quick, and lists each command with its whole summary."""

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401 - as its base
        option = super().get_help_option(ctx)
        if option is not None and option.default is None:
            # Typer imports pydantic to find that None is no flag.
            option.default = False
        return option

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as its base
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        shown = [(name, command) for name, command in commands if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_UNCUT)) for name, each in shown])


def lazy_group(commands: Mapping[str, tuple[str, str]]) -> type[TyperGroup]:
    """Return the class of a group that has these commands beside its own.

    Args:
        commands: the module and the help line of each name.
    """

    class LazyGroup(PlainGroup):
        def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - as its base
            super().__init__(**attributes)
            for name, (module, help_line) in commands.items():
                self.add_command(LazyCommand(name, module, help_line))

    return LazyGroup


def plain_app(**options: Any) -> typer.Typer:  # noqa: ANN401 - as Typer takes them
    """Return an app whose help needs no Rich, which takes longer to import than Typer."""
    defaults: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None}
    return typer.Typer(**{**defaults, **options}, pretty_exceptions_enable=False)


def group_app(help_line: str, **options: Any) -> typer.Typer:  # noqa: ANN401 - as Typer takes them
    """Return the app of a group; without a command it shows its help."""
    app = plain_app(**{"cls": PlainGroup, **options}, help=help_line, no_args_is_help=True)
    app.callback()(_keep_a_group)
    return app


def _keep_a_group() -> None:
    """Keep a group of one command: Typer merges the command into a group without a callback."""
