"""The Celery app of a worker and of beat: `celery -A artifact_pipeline.worker.app worker`."""

import sys
from typing import Any

from celery.signals import worker_process_init, worker_process_shutdown, worker_shutdown

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.base import attach_services
from artifact_pipeline.tasks.events import attach_watch
from artifact_pipeline.tasks.schedule import schedule_optional
from artifact_pipeline.worker.composition.tracing import tracing_of
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.diagnosis.readiness import START, start_parts
from artifact_pipeline.worker.lifecycle.allocator import keep_heaps_small
from artifact_pipeline.worker.lifecycle.forking import share_memory_with_children
from artifact_pipeline.worker.lifecycle.liveness import Liveness, note_while_busy
from artifact_pipeline.worker.lifecycle.pools import refuse_other_pools
from artifact_pipeline.worker.lifecycle.queues import refuse_queues_of_others
from artifact_pipeline.worker.lifecycle.schema_watch import SchemaWatch
from artifact_pipeline.worker.lifecycle.shared_done import SharedDoneUploads
from artifact_pipeline.worker.lifecycle.shared_turns import SharedTurns
from artifact_pipeline.worker.lifecycle.shutdown import release_leases_on_shutdown
from artifact_pipeline.worker.lifecycle.startup import check_worker_on_start
from artifact_pipeline.worker.lifecycle.workspace_signs import note_workspace
from artifact_pipeline.worker.logs.formats import use_log_format
from artifact_pipeline.worker.messages.answers import answer_for_database
from artifact_pipeline.worker.messages.grouped_events import group_events
from artifact_pipeline.worker.messages.guarded import Hooks, nothing
from artifact_pipeline.worker.messages.handled_uploads import HandledUploads
from artifact_pipeline.worker.messages.log_redaction import (
    log_upkeep_as_debug,
    redact_message_bodies,
    shorten_errors_of_beat,
)
from artifact_pipeline.worker.messages.page_events import send_page_events
from artifact_pipeline.worker.messages.receipt import record_on_receipt
from artifact_pipeline.worker.messages.refusals import keep_refusals
from artifact_pipeline.worker.messages.revocations import cancel_on_revoke, cancel_when_revoked
from artifact_pipeline.worker.messages.transports import guard_transport
from artifact_pipeline.worker.settings import WorkerSettings, load

try:
    _settings = load(WorkerSettings)
    _new_tracing = tracing_of(_settings)
except ConfigurationError as error:
    # A worker with a wrong setting must not start, and its operator needs no traceback.
    sys.exit(f"artifacts: {error}")

keep_heaps_small()
redact_message_bodies()
log_upkeep_as_debug()
shorten_errors_of_beat()
use_log_format(_settings.log_format)
_liveness = Liveness(_settings.liveness_file) if _settings.liveness_file else None
_schema = SchemaWatch(START["database"], _liveness)
_handled = HandledUploads()
app = make_app(_settings.broker)
guard_transport(
    app,
    _settings.broker_url,
    Hooks(
        looked=_liveness.note if _liveness else nothing,
        may_take=_schema.may_take,
        is_handled=_handled.is_handled,
    ),
)
# Make it the process's default app: its threads and children, and Celery's commands, all mean this
# app.
app.set_default()
# Of workers too: by the period they know which messages of beat have piled up.
schedule_optional(
    app, retention=_settings.retention, audit=_settings.audit, events=_settings.events
)
_composition = Composition(
    _settings,
    app,
    _handled,
    turns=SharedTurns(),
    done=SharedDoneUploads(),
    new_tracing=_new_tracing,
)
attach_services(app, _composition)
release_leases_on_shutdown(app, _composition)
keep_refusals()
record_on_receipt(app, _composition.record, _schema.failed)
attach_watch(app, _schema.failed)
refuse_other_pools()
refuse_queues_of_others(_settings.workspace_name)
cancel_when_revoked(app, _composition.revoke)
cancel_on_revoke(app, _composition.revoke, _composition.revoke_waiting)
group_events(app, _settings.broker_url)
send_page_events(app, _handled)
check_worker_on_start(start_parts(), _liveness)
answer_for_database(_composition.database_id, _settings.workspace_name)
share_memory_with_children()
if _liveness:
    note_while_busy(app, _liveness)
if _settings.workspace_name:
    note_workspace(app, _composition.note_workspace)


@worker_process_init.connect
def _after_fork(**_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
    _composition.after_fork()


# A pool of threads sends only the second signal.
@worker_process_shutdown.connect
@worker_shutdown.connect
def _before_end(**_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
    _composition.close_tracing()
