"""The Celery app of what talks to the broker alone: beat, and Flower.

It is started by `celery -A artifact_pipeline.worker.control beat`, or `flower`.

It needs neither the database nor the bucket, and so is not given their secrets.
"""

import os
import sys
from typing import Any

from celery.signals import after_task_publish

from artifact_pipeline.domain.errors import BrokerUnavailableError, ConfigurationError
from artifact_pipeline.tasks.app import broker_urls, make_app
from artifact_pipeline.tasks.broker_connections import broker_connection
from artifact_pipeline.tasks.schedule import schedule_optional
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app, reach_broker
from artifact_pipeline.worker.flower_command import check_flower_command
from artifact_pipeline.worker.lifecycle.liveness import Liveness
from artifact_pipeline.worker.lifecycle.startup import check_beat_on_start, end_or_wait
from artifact_pipeline.worker.logs.formats import set_form_of_all, use_log_format
from artifact_pipeline.worker.messages.log_redaction import (
    log_upkeep_as_debug,
    shorten_errors_of_beat,
)
from artifact_pipeline.worker.messages.transports import guard_control
from artifact_pipeline.worker.settings import ControlSettings, load

try:
    check_flower_command(sys.argv, os.environ)
    _settings = load(ControlSettings)
except ConfigurationError as error:
    sys.exit(f"artifacts: {error}")

log_upkeep_as_debug()
shorten_errors_of_beat()
use_log_format(_settings.log_format)
guard_control(_settings.broker_url)
app = make_app(_settings.broker)
app.set_default()
schedule_optional(
    app, retention=_settings.retention, audit=_settings.audit, events=_settings.events
)
_liveness = Liveness(_settings.liveness_file) if _settings.liveness_file else None
_parts = {"broker": lambda: reach_broker(fail_fast_app(_settings.broker))}
check_beat_on_start(_parts, _liveness)


def check_flower_on_start() -> None:
    """Wait for the broker; end this process if its URL is wrong, as Flower would try it endlessly.

    Flower sends no signal when it starts: its settings call this.
    """
    end_or_wait(_parts)


def log_as_configured() -> None:
    """Have Flower's lines in the form of the others. It logs by Tornado, and not by Celery."""
    if _settings.log_format == "json":
        set_form_of_all(_settings.log_format)


def follow_failover(flower: Any) -> None:  # noqa: ANN401 - Flower's class, which beat lacks
    """Have Flower read the lengths of queues from the broker that is in use.

    Its own way is the first of several URLs, whether that answers or not.
    """
    if len(broker_urls(app)) > 1:
        flower.broker_uri_with_password = property(lambda _flower: _broker_in_use())


def _broker_in_use() -> str:
    try:
        with broker_connection(fail_fast_app(_settings.broker)) as connection:
            return str(connection.as_uri(include_password=True))
    except BrokerUnavailableError:
        return broker_urls(app)[0]


@after_task_publish.connect
def _note(**_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
    # The broker has it: that is all that beat is for.
    if _liveness:
        _liveness.note()
