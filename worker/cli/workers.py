"""`artifacts workers`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

from artifact_pipeline.worker.cli.options import JsonOption, WideOption
from artifact_pipeline.worker.cli.output import note, print_json, show_rows
from artifact_pipeline.worker.composition.operator import database

if TYPE_CHECKING:
    from artifact_pipeline.domain.model.workspaces import NamedWorkspace
    from artifact_pipeline.worker.diagnosis.consumers import AnsweringWorker

_COLUMNS = ("worker", "workspace", "pool", "processes", "tasks", "seen", "queues")


def workers(*, wide: WideOption = False, as_json: JsonOption = False) -> None:
    """Show the workers: their queues, workspaces and pools, and what no worker serves.

    A workspace with a name that no worker serves has a row without a worker. The exit status is 1
    if work waits in a queue that no worker listens to.
    """
    from artifact_pipeline.domain.maintenance.attention import find_problems  # noqa: PLC0415 - for the help
    from artifact_pipeline.domain.maintenance.problems import ProblemCode  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.diagnosis.backlog import read_status  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.diagnosis.broker import fail_fast_app  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.diagnosis.consumers import answering_workers  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.settings import BrokerSettings, load  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.sql.named_workspaces import SqlNamedWorkspaces  # noqa: PLC0415 - the same

    app = fail_fast_app(load(BrokerSettings).broker)
    engine = database().engine
    answering = answering_workers(app)
    named = SqlNamedWorkspaces(engine)
    now = named.now()
    rows = [*map(_row, answering), *_silent(named.all(), answering, now)]
    status = read_status(engine, app, with_strays=False, workers=answering)
    unserved = [
        problem
        for problem in find_problems(status)
        if problem.code in (ProblemCode.NO_WORKER, ProblemCode.WORKSPACE_UNSERVED)
    ]
    if as_json:
        print_json({"workers": rows, "unserved": [_problem(each) for each in unserved]})
    else:
        show_rows(rows, as_json=False, empty="no worker answers", brief=_COLUMNS, wide=wide)
        for problem in unserved:
            note(f"{problem.what} (fix: {problem.fix})")
    if unserved or not answering:
        raise typer.Exit(1)


def _row(worker: "AnsweringWorker") -> dict[str, Any]:
    return {
        "worker": worker.name,
        "workspace": worker.workspace,
        "pool": worker.pool,
        "processes": worker.processes,
        "tasks": worker.tasks,
        "seen": timedelta(0),
        "queues": sorted(worker.queues),
    }


def _silent(
    named: "list[NamedWorkspace]", answering: "list[AnsweringWorker]", now: datetime
) -> Iterator[dict[str, Any]]:
    """Yield a row for each workspace that no worker serves now."""
    served = {each.workspace for each in answering}
    for each in named:
        if each.name not in served and (each.ids or each.active):
            yield {
                "worker": None,
                "workspace": each.name,
                "pool": None,
                "processes": None,
                "tasks": None,
                "seen": None if each.seen_at is None else now - each.seen_at,
                "queues": [],
            }


def _problem(problem: Any) -> dict[str, Any]:  # noqa: ANN401 - of the status
    return {"queue": problem.queue, "what": problem.what, "fix": problem.fix}
