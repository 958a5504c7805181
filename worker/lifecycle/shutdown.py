"""Handing on, in a cold shutdown, what it interrupts."""

import logging
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.worker.composition.worker import Composition

logger = logging.getLogger(__name__)


def release_leases_on_shutdown(app: Celery, composition: Composition) -> None:
    """Have a worker of this app give its transfers back when it is stopped while they run.

    A shutdown is not a failure: another worker continues what it interrupted at once, and the
    attempt does not count. Not a signal handler: Celery sends `worker_shutdown` after a warm
    shutdown alone, which interrupts nothing.
    """

    class ReleaseLeases(StartStopStep):
        requires = ("celery.worker.components:Pool",)

        def start(self, parent: Any) -> None:  # noqa: ANN401
            """Do nothing: there is nothing to start."""

        def stop(self, parent: Any) -> None:  # noqa: ANN401
            """Give nothing back: the tasks are waited for."""

        def terminate(self, parent: Any) -> None:  # noqa: ANN401, ARG002
            # The children still live for a moment, yet the fence has risen and they cannot write.
            _release_leases(composition)

    app.steps["worker"].add(ReleaseLeases)


def _release_leases(composition: Composition) -> None:
    try:
        count = composition.release_leases()
    except PipelineError as error:
        logger.warning("what is interrupted waits for its lease to end: %s", error)
        return
    logger.info("%d interrupted transfers go on elsewhere", count)
    if count:
        _publish(composition)


def _publish(composition: Composition) -> None:
    # Uploads that were claimed ahead may have no message any more.
    try:
        composition.ask_for_dispatch()
    except PipelineError as error:
        logger.warning("what is interrupted waits for the next dispatch: %s", error)
