"""Events of the uploads that a worker does without their messages: Flower shows their tasks."""

from functools import partial
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep

from artifact_pipeline.worker.messages.handled_uploads import HandledUploads, TaskEnd


def send_page_events(app: Celery, handled: HandledUploads) -> None:
    """Have the workers of this app send the events of uploads that have ended in pages."""

    class SendPageEvents(StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def register_with_event_loop(self, parent: Any, hub: Any) -> None:  # noqa: ANN401 - Celery's
            handled.listen(partial(hub.call_soon, partial(_send, parent, handled)))
            hub.add_reader(handled, handled.read)

        def stop(self, parent: Any) -> None:  # noqa: ANN401, ARG002
            handled.listen(None)

    app.steps["consumer"].add(SendPageEvents)


def _send(consumer: Any, handled: HandledUploads) -> None:  # noqa: ANN401 - Celery's
    dispatcher = consumer.event_dispatcher
    for end in handled.take_ends():
        # Celery's dispatcher sends several at once.
        for kind, fields in _events(end):
            dispatcher.send(kind, uuid=end.request_id, **fields)


def _events(end: TaskEnd) -> list[tuple[str, dict[str, Any]]]:
    begun_at = end.ended_at - end.seconds
    received = {"name": end.name, "args": "()", "kwargs": repr(end.ids), "retries": 0}
    return [
        ("task-received", {**received, "timestamp": begun_at}),
        ("task-started", {"timestamp": begun_at}),
        (end.type, {**_shown(end), "timestamp": end.ended_at}),
    ]


def _shown(end: TaskEnd) -> dict[str, Any]:
    if end.type == "task-succeeded":
        return {"result": end.shown, "runtime": end.seconds}
    return {"exception": end.shown, "traceback": ""}
