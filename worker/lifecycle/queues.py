"""Which queues a worker may listen to: only those whose work it can see."""

import sys
from collections.abc import Collection
from typing import Any

from celery.signals import celeryd_after_setup

from artifact_pipeline.tasks.own_workspace import NAME_VARIABLE
from artifact_pipeline.tasks.routing import OF_TRANSFERS, queues_of_workspace, workspace_of_queue


def refuse_queues_of_others(workspace: str | None) -> None:
    """End this process's worker at its start if a queue is of another workspace.

    Args: `workspace` is the name of the one that the worker serves.
    """

    def check(instance: Any, **_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
        queues = list(instance.app.amqp.queues.consume_from)
        if refusal := refusal_of(queues, workspace):
            print(f"artifacts: {refusal}", file=sys.__stderr__, flush=True)
            sys.exit(1)

    celeryd_after_setup.connect(check, weak=False)


def refusal_of(queues: Collection[str], workspace: str | None) -> str | None:
    """Return why a worker of this workspace must not listen to the queues, or None if it may."""
    others = [queue for queue in queues if _is_of_another(queue, workspace)]
    if not others:
        return None
    served = "is not set" if workspace is None else f"is {workspace}"
    instead = ",".join(queues_of_workspace(workspace))
    return (
        f"--queues {','.join(others)}: {NAME_VARIABLE} {served}, and a worker sees the files of"
        f" its own workspace only. Use --queues {instead}"
    )


def _is_of_another(queue: str, workspace: str | None) -> bool:
    named = workspace_of_queue(queue)
    return (named is not None or queue in OF_TRANSFERS) and named != workspace
