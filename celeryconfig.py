"""Celery's settings, each with its reason. The broker's address comes from the environment.

Everything here holds for every worker alike: workers that disagree on the visibility time-out
take each other's messages away.
"""

from datetime import timedelta

from kombu import Exchange, Queue

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.tasks.routing import (
    APPLY_RETENTION,
    AUDIT,
    CONFIGS,
    DELIVER_EVENTS,
    DISPATCH,
    OWN_QUEUES,
    RECONCILE,
    UPKEEP,
    UPLOAD_JOB,
    queue_of,
)

_HOUR = 3600

# Named, not discovered: what a worker runs is what is written here.
include = [
    "artifact_pipeline.tasks.bucket",
    "artifact_pipeline.tasks.downloads",
    "artifact_pipeline.tasks.uploads",
    "artifact_pipeline.tasks.upkeep",
]

# Ids are all that travels, and JSON says all of them. Anything else, pickle above all, is refused.
task_serializer = "json"
result_serializer = "json"
accept_content = ["json"]

# SQL has every result; one kept in Redis as well costs a third of the throughput.
task_ignore_result = True
# So there is nothing to clean up either; beat would ask for it once a day.
result_expires = None

# One queue for each size of work, so that a 10 GB result never delays a 4 KB config. Priorities
# would not do: they order what waits, and cannot interrupt what runs.
task_default_queue = CONFIGS
# Each has its own exchange. Else Celery binds all of them to the exchange of the default queue,
# and a message sent there arrives in every queue.
task_queues = [Queue(name, Exchange(name), routing_key=name) for name in OWN_QUEUES]
task_routes = {
    **{f"artifacts.*_{kind}": {"queue": queue_of(kind)} for kind in ArtifactKind},
    UPLOAD_JOB: {"queue": CONFIGS},
    "artifacts.*": {"queue": UPKEEP},
}

# A message is acknowledged when its task has ended, and a worker holds only what it runs: the
# broker delivers what a killed worker leaves behind to the others.
task_acks_late = True
worker_prefetch_multiplier = 1
# A killed child's task is tried again as a retry that is counted. reject_on_worker_lost would
# deliver a task that kills its worker without end.
task_retry_on_worker_lost = True

# No attempt takes longer; the soft limit gives it a minute to end in order.
task_time_limit = 6 * _HOUR
task_soft_time_limit = task_time_limit - 60
# On SIGQUIT, which REMAP_SIGTERM=SIGQUIT makes of SIGTERM, running tasks have this long before they
# are interrupted (seconds); a bare SIGTERM waits for them however long they take.
worker_soft_shutdown_timeout = 60.0
# A lost connection does not end what runs: the upload continues, and its lease turns the message
# away that the broker delivers again.
worker_cancel_long_running_tasks_on_connection_loss = False

# What a dead worker held comes back sooner, by `channel_seconds` below: this is for messages that a
# worker of an earlier version took. Longer than any task may run, plus the shutdown: earlier, Redis
# would deliver a task again while it still runs.
visibility_timeout = task_time_limit + _HOUR
broker_transport_options = {
    "visibility_timeout": visibility_timeout,
    # Look for what dead workers left every 5 seconds; the default looks at every tenth turn only.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # A worker renews a key in the broker as often, and is dead when the key has expired (seconds):
    # longer than that interval and `socket_timeout`, for which a slow broker may stop its main loop
    # just before a renewal. With less, what a living worker does would be delivered again.
    "channel_seconds": 40,
    # Without these four, a publish on a dead connection hangs without end (seconds).
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
result_backend_transport_options = {"visibility_timeout": visibility_timeout}

# A broker that is away comes back; a worker that gave up does not.
broker_connection_retry_on_startup = True
broker_connection_max_retries = None

# Children are replaced before a leak could matter (tasks; KiB of resident memory).
worker_max_tasks_per_child = 5_000
worker_max_memory_per_child = 1_000_000

# For Flower.
worker_send_task_events = True

# Celery's own scheduler goes by the machine's clock, and sends nothing after it was set back.
beat_scheduler = "artifact_pipeline.tasks.beat:SteadyScheduler"
# A lost message delays its transfer by one such period. The messages have no `expires`: a worker
# would judge it by its own clock, and one that is seconds ahead would throw all of them away. Those
# that pile up are harmless: a run that follows another one within half a period does nothing.
beat_schedule = {
    "dispatch": {
        "task": DISPATCH,
        "schedule": timedelta(seconds=5),
    },
    # What a cancelled transfer leaves in the bucket costs storage for no longer than this.
    "reconcile": {
        "task": RECONCILE,
        "schedule": timedelta(minutes=5),
    },
}
# Beat asks for these only where ARTIFACTS_RETENTION, ARTIFACTS_AUDIT or ARTIFACTS_EVENTS is on.
OPTIONAL_SCHEDULE = {
    "retention": {"task": APPLY_RETENTION, "schedule": timedelta(minutes=5)},
    "audit": {"task": AUDIT, "schedule": timedelta(minutes=5)},
    # An event waits for its delivery no longer than this, where nothing is wrong.
    "events": {"task": DELIVER_EVENTS, "schedule": timedelta(seconds=2)},
}

enable_utc = True
timezone = "UTC"
