"""The tasks that Celery beat asks for."""

from dataclasses import asdict

from celery import shared_task

from tasks.base import PipelineTask
from tasks.contract import DISPATCH, RECONCILE


@shared_task(name=DISPATCH, base=PipelineTask, bind=True)
def dispatch(self: PipelineTask) -> dict[str, int]:
    """Publish every transfer that waits for a message: SQL is the truth, the broker forgets."""
    return {"published": self.services.dispatch()}


@shared_task(name=RECONCILE, base=PipelineTask, bind=True)
def reconcile(self: PipelineTask) -> dict[str, int]:
    """Abort the multipart uploads that nobody will go on with."""
    return asdict(self.services.reconcile())
