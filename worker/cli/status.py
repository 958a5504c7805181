"""`artifacts status`: the whole pipeline at a glance."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from domain.attention import Problem, find_problems
from domain.errors import PipelineError
from domain.pipeline_status import PipelineStatus
from worker.cli.engines import opened_database
from worker.cli.options import JsonOption
from worker.cli.output import out
from worker.cli.status_json import status_json
from worker.cli.status_view import status_view
from worker.diagnosis.backlog import read_status
from worker.diagnosis.broker import impatient_app
from worker.settings import BrokerSettings, load


def status(
    *,
    watching: Annotated[
        bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds between two looks of --watch.")
    ] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show the backlog, the workers, the failures, and everything that needs an operator.

    The exit status is 1 if something does. With --watch, JSON is one line for each look.
    """
    with opened_database() as engine:
        read = partial(read_status, engine, impatient_app(load(BrokerSettings).broker_url))
        code = _watch(read, every, as_json=as_json) if watching else _once(read, as_json=as_json)
    raise typer.Exit(code)


def _once(read: Callable[[], PipelineStatus], *, as_json: bool) -> int:
    snapshot = read()
    problems = find_problems(snapshot)
    if as_json:
        typer.echo(json.dumps(status_json(snapshot, problems), indent=2))
    else:
        out.print(status_view(snapshot, problems))
    return 1 if problems else 0


def _watch(read: Callable[[], PipelineStatus], every: float, *, as_json: bool) -> int:
    """Show it until Ctrl-C; return the exit status by the last look."""
    needs_a_hand = True
    is_live = out.is_terminal and not as_json
    # What does not fit is cut off while it is live, and is all there at the end.
    live = Live(console=out, auto_refresh=False, vertical_overflow="crop") if is_live else None
    try:
        with live or nullcontext():
            for shown in _looks(read, every):
                needs_a_hand = shown.needs_a_hand
                _show(shown, live, as_json=as_json)
    except KeyboardInterrupt:
        pass
    return 1 if needs_a_hand else 0


class _Look:
    """One look: a snapshot with its problems, or the reason why it failed."""

    def __init__(self, read: Callable[[], PipelineStatus]) -> None:
        self.snapshot: PipelineStatus | None = None
        self.problems: list[Problem] = []
        self.error = ""
        try:
            self.snapshot = read()
            self.problems = find_problems(self.snapshot)
        except PipelineError as error:
            # The database comes back; a watch that ends would not show it.
            self.error = " ".join(str(error).split())

    @property
    def needs_a_hand(self) -> bool:
        return bool(self.error or self.problems)

    @property
    def view(self) -> RenderableType:
        if self.snapshot is None:
            return Text(f"error    {self.error}", style="bold red")
        return status_view(self.snapshot, self.problems)

    @property
    def line(self) -> str:
        if self.snapshot is None:
            return json.dumps({"error": self.error})
        return json.dumps(status_json(self.snapshot, self.problems))


def _looks(read: Callable[[], PipelineStatus], every: float) -> Iterator[_Look]:
    while True:
        yield _Look(read)
        time.sleep(every)


def _show(look: _Look, live: Live | None, *, as_json: bool) -> None:
    if live is not None:
        live.update(look.view, refresh=True)
    elif as_json:
        typer.echo(look.line)
    else:
        out.print(look.view)
        out.print()
