"""What a worker answers about the database that it works for."""

import logging
from collections.abc import Callable
from typing import Any

from celery.signals import celeryd_after_setup
from celery.worker.control import inspect_command

from artifact_pipeline.domain.errors import PipelineError

logger = logging.getLogger(__name__)

COMMAND = "artifacts_database"
"""The remote control command that asks for it."""


def answer_for_database(read: Callable[[], str | None], workspace: str | None = None) -> None:
    """Have this process's worker answer which database it works for, and which workspace it serves.

    The database is read once, before the worker forks: a database that hangs must not stop the main
    loop, which answers. Connect this after what waits for the database.

    Args:
        read: returns what tells the database from others.
        workspace: the name of the workspace; None is the default workspace.
    """
    known: list[str | None] = []

    def note(**_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
        try:
            known.append(read())
        except PipelineError as error:
            logger.warning("it is not known which database this is: %s", error)

    def answer(_state: Any) -> dict[str, str | None]:  # noqa: ANN401 - Celery's
        """Return the id of the database that this worker works for, and its workspace's name."""
        return {"database": known[-1] if known else None, "workspace": workspace}

    celeryd_after_setup.connect(note, weak=False)
    inspect_command(name=COMMAND)(answer)
