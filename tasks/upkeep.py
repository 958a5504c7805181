"""The tasks that Celery beat asks for."""

from dataclasses import asdict

from celery import shared_task

from tasks.base import PipelineTask
from tasks.contract import DISPATCH, RECONCILE


@shared_task(name=DISPATCH, base=PipelineTask, bind=True)
def dispatch(self: PipelineTask) -> dict[str, int]:
    """Publish every transfer that waits for a message: SQL is the truth, the broker forgets.

    Then the next members of the batches, which nothing else keeps going.
    """
    published = self.services.dispatch()
    return {"published": published, "released": self.services.advance_batches()}


@shared_task(name=RECONCILE, base=PipelineTask, bind=True)
def reconcile(self: PipelineTask) -> dict[str, int]:
    """Have what nobody asks about looked after: uploads by URL, abandoned parts, old snapshots."""
    return asdict(self.services.reconcile())
