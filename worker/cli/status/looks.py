"""Reading the status of the pipeline for `artifacts status`, once or again and again."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.maintenance.attention import find_problems
from artifact_pipeline.domain.maintenance.pipeline_status import PipelineStatus
from artifact_pipeline.worker.cli.output import machine, out, print_json, say
from artifact_pipeline.worker.cli.status.report import status_json
from artifact_pipeline.worker.cli.status.tables import status_view
from artifact_pipeline.worker.diagnosis.backlog import read_status
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.diagnosis.database import opened
from artifact_pipeline.worker.settings import BrokerSettings, DatabaseSettings, load

if TYPE_CHECKING:
    from artifact_pipeline.domain.maintenance.problems import Problem


def show_status(every: float | None, *, as_json: bool) -> int:
    """Show the status; return 1 if something needs an operator, else 0.

    Args:
        every: seconds between two looks, until Ctrl-C; by default it is one look.
        as_json: for programs; with `every` a line for each look.
    """
    with opened(load(DatabaseSettings)) as engine:
        read = partial(read_status, engine, fail_fast_app(load(BrokerSettings).broker))
        if every is None:
            return _once(read, as_json=as_json)
        return _watch(read, every, as_json=as_json)


def _once(read: Callable[[], PipelineStatus], *, as_json: bool) -> int:
    snapshot = read()
    problems = find_problems(snapshot)
    if as_json:
        print_json(status_json(snapshot, problems))
    else:
        out.print(status_view(snapshot, problems))
    return 1 if problems else 0


def _watch(read: Callable[[], PipelineStatus], every: float, *, as_json: bool) -> int:
    """Show it until Ctrl-C; return the exit status by the last look."""
    needs_operator = True
    is_live = out.is_terminal and not as_json
    # The live view is cropped to the terminal; at its end it shows all.
    live = Live(console=out, auto_refresh=False, vertical_overflow="crop") if is_live else None
    try:
        with live or nullcontext():
            for shown in _looks(read, every):
                needs_operator = shown.needs_operator
                _show(shown, live, as_json=as_json)
    except KeyboardInterrupt:
        pass
    return 1 if needs_operator else 0


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
    def needs_operator(self) -> bool:
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
        return json.dumps(status_json(self.snapshot, self.problems), default=machine)


def _looks(read: Callable[[], PipelineStatus], every: float) -> Iterator[_Look]:
    while True:
        yield _Look(read)
        time.sleep(every)


def _show(look: _Look, live: Live | None, *, as_json: bool) -> None:
    if live is not None:
        live.update(look.view, refresh=True)
    elif as_json:
        say(look.line)
    else:
        out.print(look.view)
        out.print()
