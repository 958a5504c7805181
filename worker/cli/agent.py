"""`artifacts agent`."""

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from artifact_pipeline.worker.settings import WorkerSettings


class AgentPool(StrEnum):
    """Pools of Celery's that a worker may have."""

    PREFORK = "prefork"
    THREADS = "threads"


def agent(  # noqa: PLR0913 - an argument for each option
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND…", help="With --until-done: what to run."),
    ] = None,
    *,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of the workspace; by default ARTIFACTS_WORKSPACE_NAME, else the host's name.",
        ),
    ] = None,
    until_done: Annotated[
        bool,
        typer.Option("--until-done", help="Run COMMAND, and end when its uploads are stored."),
    ] = False,
    drain_timeout: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="At the end, wait so long for the uploads."),
    ] = 600,
    concurrency: Annotated[
        int, typer.Option(min=1, max=1000, help="Transfers of the worker at the same time.")
    ] = 2,
    pool: Annotated[AgentPool, typer.Option(help="Celery's pool.")] = AgentPool.PREFORK,
) -> None:
    """Serve this container's workspace, which no other host sees, until it ends.

    It runs a worker for the workspace NAME, which is the directory ARTIFACTS_WORKSPACE. On SIGTERM,
    or once COMMAND has ended, it waits until everything is stored. The exit status is 75 if
    something is left, else COMMAND's status.
    """
    from artifact_pipeline.worker.settings import WorkerSettings, load  # noqa: PLC0415 - for the help

    if until_done != bool(command):
        raise typer.BadParameter("--until-done and COMMAND go together: --until-done -- COMMAND")
    from artifact_pipeline.worker.agent.registration import agent_name  # noqa: PLC0415 - for the help

    settings = load(WorkerSettings)
    chosen = agent_name(name, settings.workspace_name)
    status = _run(settings, chosen, command or [], drain_timeout, (concurrency, pool))
    raise typer.Exit(status)


def _run(
    settings: "WorkerSettings",
    name: str,
    command: list[str],
    drain_timeout: float,
    of_worker: tuple[int, str],
) -> int:
    from artifact_pipeline.tasks.publish import ask_for_dispatch  # noqa: PLC0415 - for the help
    from artifact_pipeline.tasks.workspace_queues import (  # noqa: PLC0415 - the same
        count_messages,
        forget_queues,
    )
    from artifact_pipeline.worker.agent.agent import Agent  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.agent.registration import register  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.agent.worker_process import (  # noqa: PLC0415 - the same
        AgentWorker,
        worker_arguments,
    )
    from artifact_pipeline.worker.cli.notes import notes_of  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.composition.operator import database  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.diagnosis.broker import fail_fast_app  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.sql.named_workspaces import SqlNamedWorkspaces  # noqa: PLC0415 - the same

    engine, app = database().engine, fail_fast_app(settings.broker)
    agent = Agent(
        name=name,
        workspace_id=register(settings.workspace, name, engine),
        workspaces=SqlNamedWorkspaces(engine),
        worker=AgentWorker(name, worker_arguments(name, *of_worker)),
        drain_timeout=drain_timeout,
        ask_for_dispatch=partial(ask_for_dispatch, app),
        count_messages=partial(count_messages, name, app),
        forget_queues=partial(forget_queues, name, app),
        say=notes_of("agent", settings.log_format),
    )
    return agent.run(command)
