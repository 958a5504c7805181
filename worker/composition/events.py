"""What a worker does for events."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from artifact_pipeline.domain.maintenance.deliver_events import (
    BUDGET,
    DeliveredEvents,
    DeliverEvents,
    Receiver,
)
from artifact_pipeline.domain.ports.artifact_events import IEventTarget
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.worker.settings import WorkerSettings
from artifact_pipeline.worker.sql.endpoint_failures import SqlEndpointFailures
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.tables import EventTargetRow

if TYPE_CHECKING:
    from celery import Celery
    from sqlalchemy import Engine

Receivers = Mapping[str, Receiver]
_MARGIN = timedelta(seconds=10)


def event_receivers(settings: WorkerSettings, engine: "Engine", app: "Celery") -> Receivers:
    """Return the targets of the settings; they keep connections and breakers from run to run."""
    return {
        name: Receiver(_target(address, settings, app), _breaker(name, settings, engine))
        for name, address in settings.addresses.items()
    }


def deliver_events(
    settings: WorkerSettings, engine: "Engine", receivers: Receivers
) -> DeliveredEvents:
    """Deliver due events."""
    deliver = DeliverEvents(
        outbox=SqlEventOutbox(engine),
        receivers=receivers,
        lease=BUDGET + 2 * _timeout(settings) + _MARGIN,
    )
    return deliver()


def _target(address: str, settings: WorkerSettings, app: "Celery") -> IEventTarget:
    if "://" not in address:
        from artifact_pipeline.worker.events.task_target import TaskTarget  # noqa: PLC0415 - few have both

        return TaskTarget(app, address, settings.events_queue)
    from artifact_pipeline.worker.events.webhook_target import WebhookTarget  # noqa: PLC0415 - the same

    return WebhookTarget(address, settings.secrets, _timeout(settings))


def _breaker(name: str, settings: WorkerSettings, engine: "Engine") -> Breaker:
    forgotten_after = max(600, 2 * (2 * settings.breaker_seconds + settings.events_timeout_seconds))
    return Breaker(
        SqlEndpointFailures(engine, timedelta(seconds=forgotten_after), EventTargetRow),
        name,
        threshold=settings.breaker_failures,
        cool_off=timedelta(seconds=settings.breaker_seconds),
    )


def _timeout(settings: WorkerSettings) -> timedelta:
    return timedelta(seconds=settings.events_timeout_seconds)
