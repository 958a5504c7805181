"""The tasks that Celery beat asks for."""

from celery import shared_task

from tasks.base import PipelineTask
from tasks.contract import DISPATCH


@shared_task(name=DISPATCH, base=PipelineTask, bind=True)
def dispatch(self: PipelineTask) -> dict[str, int]:
    """Publish every transfer that waits for a message: SQL is the truth, the broker forgets."""
    return {"published": self.services.dispatch()}
