"""The tasks that Celery beat asks for."""

import logging
from dataclasses import asdict
from typing import Any

from celery import shared_task

from domain.redaction import redact
from tasks.base import PipelineTask
from tasks.contract import DISPATCH, RECONCILE

logger = logging.getLogger(__name__)


class UpkeepTask(PipelineTask):
    """A task that runs all the time: only its failures are worth an event or a line in the log."""

    abstract = True
    send_events = False
    Request = "tasks.events:FailuresOnly"

    def on_failure(self, exc: BaseException, *_: Any, **__: Any) -> None:  # noqa: ANN401
        # Celery logs an expected error as INFO, and nothing else reports that upkeep stands still.
        logger.warning("%s failed: %s", self.name, redact(str(exc)))


@shared_task(name=DISPATCH, base=UpkeepTask, bind=True)
def dispatch(self: UpkeepTask) -> dict[str, int]:
    """Publish every transfer that waits for a message: SQL is the truth, the broker forgets.

    Then the next members of the batches, which nothing else keeps going.
    """
    published = self.services.dispatch()
    return {"published": published, "released": self.services.advance_batches()}


@shared_task(name=RECONCILE, base=UpkeepTask, bind=True)
def reconcile(self: UpkeepTask) -> dict[str, int]:
    """Have what nobody asks about looked after: uploads by URL, abandoned parts, old snapshots."""
    return asdict(self.services.reconcile())
