"""`artifacts status`: the whole pipeline at a glance."""

from typing import Annotated

import typer

from artifact_pipeline.worker.cli.options import JsonOption


def status(
    *,
    watching: Annotated[bool, typer.Option("--watch", help="Repeat until Ctrl-C.")] = False,
    every: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds between two looks of --watch.")
    ] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show the backlog, the workers, the failures, and everything that needs an operator.

    The exit status is 1 if something does. With --watch, JSON is one line for each look.
    """
    from artifact_pipeline.worker.cli.status.looks import show_status  # noqa: PLC0415 - for the help

    raise typer.Exit(show_status(every if watching else None, as_json=as_json))
