"""When beat asks for the periodic audit."""

from datetime import timedelta

from celery import Celery

from artifact_pipeline.tasks.routing import AUDIT

_EVERY = timedelta(minutes=5)


def schedule_audit(app: Celery) -> None:
    """Have this app's beat ask for it. Workers of earlier versions refuse its messages."""
    entry = {"task": AUDIT, "schedule": _EVERY}
    app.conf.beat_schedule = {**app.conf.beat_schedule, "audit": entry}
