"""What beat asks for beside the schedule of celeryconfig.py, where a setting turns it on."""

from celery import Celery

from artifact_pipeline import celeryconfig


def schedule_optional(app: Celery, **is_on: bool) -> None:
    """Have this app's beat ask for tasks of `celeryconfig.OPTIONAL_SCHEDULE`, by their names there.

    Workers of earlier versions refuse the messages of tasks that they do not know.
    """
    chosen = {
        name: entry for name, entry in celeryconfig.OPTIONAL_SCHEDULE.items() if is_on.get(name)
    }
    app.conf.beat_schedule = {**app.conf.beat_schedule, **chosen}
