"""What beat asks for beside the schedule of celeryconfig.py."""

from celery import Celery

from artifact_pipeline import celeryconfig
from artifact_pipeline.tasks.routing import APPLY_RETENTION


def schedule_retention(app: Celery, *, is_on: bool) -> None:
    """Have beat ask for the periodic task that applies the retention rules, if it is on."""
    if is_on:
        entry = {"task": APPLY_RETENTION, "schedule": celeryconfig.RETENTION_EVERY}
        app.conf.beat_schedule = {**app.conf.beat_schedule, "retention": entry}
