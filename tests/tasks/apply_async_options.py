"""The options of `apply_async` and `send_task`, with what becomes of each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kombu import Queue

from artifact_pipeline.tasks import bucket, downloads, upkeep  # noqa: F401 - the tasks are registered
from artifact_pipeline.tasks.routing import CONFIGS, RESULTS
from artifact_pipeline.tasks.uploads import upload_job_config

Message = dict[str, Any]
NAME = upload_job_config.name
IDS = {"job_id": 12}
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


@dataclass(frozen=True)
class Sent:
    """A message as a worker takes it, and between which times it was sent."""

    message: dict[str, Any]
    earliest: datetime
    latest: datetime

    @property
    def headers(self) -> dict[str, Any]:
        headers: dict[str, Any] = self.message["headers"]
        return headers


Check = Callable[[Sent], bool]


def at(header: str, moment: datetime) -> Check:
    # Celery keeps whole seconds of some times.
    return lambda sent: abs(datetime.fromisoformat(sent.headers[header]) - moment) <= SECOND


def after(header: str, delay: timedelta) -> Check:
    def is_right(sent: Sent) -> bool:
        due = datetime.fromisoformat(sent.headers[header]) - delay
        return sent.earliest - SECOND <= due <= sent.latest + SECOND

    return is_right


def has(header: str, value: object) -> Check:
    return lambda sent: sent.headers.get(header) == value


def is_in(queue: str) -> Check:
    return lambda sent: sent.message["properties"]["delivery_info"]["routing_key"] == queue


def is_as_ever(sent: Sent) -> bool:
    """Nothing but the id, the times of sending and the queue tells it from one without options."""
    headers = sent.headers
    return (
        (headers["task"], headers["eta"], headers["expires"], headers["group"])
        == (NAME, None, None, None)
        and sent.message["properties"]["priority"] == 0
        and "headers" not in headers
    )


TAKEN: list[tuple[dict[str, Any], Check]] = [
    ({}, is_as_ever),
    ({"task_id": "user-42-job-12"}, has("id", "user-42-job-12")),
    ({"task_id": "x" * 255}, has("id", "x" * 255)),
    ({"queue": RESULTS}, is_in(RESULTS)),
    ({"queue": Queue(RESULTS)}, is_in(RESULTS)),
    ({"exchange": "", "routing_key": CONFIGS}, is_in(CONFIGS)),
    ({"countdown": 9 * 3600}, after("eta", 9 * HOUR)),
    ({"countdown": 6 * 24 * 3600}, after("eta", timedelta(days=6))),
    ({"countdown": -5}, is_as_ever),
    ({"countdown": 0}, is_as_ever),
    ({"eta": NOW + 9 * HOUR}, at("eta", NOW + 9 * HOUR)),
    ({"eta": (NOW + 9 * HOUR).isoformat()}, at("eta", NOW + 9 * HOUR)),
    ({"eta": (NOW + 9 * HOUR).replace(tzinfo=None)}, at("eta", NOW + 9 * HOUR)),
    ({"eta": NOW - HOUR}, is_as_ever),
    ({"expires": 3600}, after("expires", HOUR)),
    ({"expires": NOW + HOUR}, at("expires", NOW + HOUR)),
    ({"expires": (NOW + HOUR).isoformat()}, at("expires", NOW + HOUR)),
    ({"countdown": 60, "expires": 3600}, after("expires", HOUR)),
    ({"priority": 5}, lambda m: m.message["properties"]["priority"] == 5),
    ({"priority": 99}, lambda m: m.message["properties"]["priority"] == 9),
    ({"compression": "gzip"}, is_as_ever),
    ({"compression": "zlib"}, is_as_ever),
    ({"serializer": "json"}, is_as_ever),
    ({"headers": TRACE}, has("headers", TRACE)),
    ({"headers": {"of-somebody": 5}}, is_as_ever),
    ({"group_id": "a group", "group_index": 3}, has("group", "a group")),
    ({"root_id": "a root", "parent_id": "a parent"}, has("parent_id", "a parent")),
    ({"retries": 2}, has("retries", 2)),
    # Of no concern to a worker.
    ({"ignore_result": True, "add_to_parent": False}, is_as_ever),
    ({"argsrepr": "(…)", "kwargsrepr": "{…}"}, is_as_ever),
    ({"reply_to": "a queue"}, is_as_ever),
    ({"retry": True, "retry_policy": {"max_retries": 1}}, is_as_ever),
    ({"delivery_mode": 1, "timeout": 3, "confirm_timeout": 3}, is_as_ever),
    ({"mandatory": False, "immediate": False}, is_as_ever),
    ({"link": [], "link_error": None, "chain": None, "chord": None}, is_as_ever),
]

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"link": upload_job_config.si(13)}, "link: workers ignore it; a message must not run other"),
    ({"link_error": [upload_job_config.si(13)]}, "link_error: workers ignore it; a message "),
    ({"chain": [upload_job_config.si(13)]}, "chain: workers ignore it; a message must not "),
    ({"chord": upload_job_config.si(13)}, "chord: workers ignore it; a message must not "),
    ({"time_limit": 5}, "time_limit: workers ignore it; the workers' own limits hold"),
    ({"soft_time_limit": 5}, "soft_time_limit: workers ignore it; the workers' own limits hold"),
    ({"shadow": "another name"}, "shadow: workers ignore it; Flower shows the task's own name"),
    ({"expiration": 5}, "expiration: workers ignore it; give expires= instead"),
    ({"mandatory": True}, "mandatory: workers ignore it; see docs/producers.md"),
    ({"immediate": True}, "immediate: workers ignore it; see docs/producers.md"),
    ({"stamped_headers": ["a"], "a": 1}, "stamped_headers: workers ignore it; "),
    ({"exchange": RESULTS}, "exchange: workers ignore it; give queue= instead"),
    ({"exchange_type": "topic"}, "exchange_type: workers ignore it; see docs/producers.md"),
    ({"routing_key": RESULTS}, "routing_key: workers ignore it; give queue= instead"),
    ({"no_such_option": 5}, "no_such_option: workers ignore it; see docs/producers.md"),
    ({"content_type": "application/x-python"}, "content_type: workers ignore it; "),
    ({"queue": ""}, "queue: '' is not the name of a queue"),
    ({"queue": 5}, "queue: 5 is not the name of a queue"),
    ({"serializer": "pickle"}, "serializer: 'pickle'; workers read only json"),
    ({"compression": "bzip2"}, "compression: 'bzip2'; workers unpack only gzip"),
    ({"task_id": 5}, "headers.id: a worker would refuse"),
    ({"task_id": "x" * 256}, "headers.id: a worker would refuse"),
    ({"task_id": "a\nb"}, "headers.id: a worker would refuse"),
    ({"task_id": "https://host/x"}, "headers.id: a worker would refuse"),
    ({"task_id": "token:abcdef"}, "task_id: it looks like a secret"),
    ({"countdown": 30 * 24 * 3600}, "due in more than 7 days: a worker refuses it"),
    ({"countdown": 1e30}, "countdown: 1e+30 seconds are out of range"),
    ({"countdown": float("nan")}, "countdown: nan is not a number of seconds"),
    ({"countdown": "60"}, "countdown: '60' is not a number of seconds"),
    ({"eta": NOW + timedelta(days=30)}, "due in more than 7 days: a worker refuses it"),
    ({"eta": 60}, "eta: 60 is not a time"),
    ({"eta": "tomorrow"}, "eta: 'tomorrow' is not a time"),
    ({"expires": -5}, "expires: passed when the message is due"),
    ({"expires": 0}, "expires: passed when the message is due"),
    ({"expires": NOW - HOUR}, "expires: passed when the message is due"),
    ({"expires": 60, "countdown": 3600}, "expires: passed when the message is due"),
    ({"expires": 1e30}, "expires: 1e+30 seconds are out of range"),
    ({"expires": "soon"}, "expires: 'soon' is not a time"),
    ({"expires": [5]}, "expires: [5] is not a time"),
    ({"priority": "high"}, "priority: a worker would refuse"),
    ({"priority": 1.5}, "priority: a worker would refuse"),
    ({"retries": "x"}, "headers.retries: a worker would refuse"),
    ({"group_id": "a\nb"}, "headers.group: a worker would refuse"),
    ({"group_index": -1}, "headers.group_index: a worker would refuse"),
    ({"root_id": 5}, "headers.root_id: a worker would refuse"),
    ({"parent_id": "x" * 256}, "headers.parent_id: a worker would refuse"),
    ({"argsrepr": 5}, "headers.argsrepr: a worker would refuse"),
    ({"kwargsrepr": 5}, "headers.kwargsrepr: a worker would refuse"),
    ({"ignore_result": "yes"}, "headers.ignore_result: a worker would refuse"),
    ({"replaced_task_nesting": -1}, "headers.replaced_task_nesting: a worker would refuse"),
    ({"origin": 5}, "headers.origin: a worker would refuse"),
    ({"headers": [("a", 1)]}, "headers: a mapping is needed, got list"),
    ({"headers": {"task": "artifacts.reconcile"}}, "headers: task cannot be given as a header"),
    ({"headers": {"id": "x", "eta": "x"}}, "headers: eta, id cannot be given as a header"),
    ({"headers": {"callbacks": [{}]}}, "headers: callbacks cannot be given as a header"),
    ({"headers": {"of-somebody": "x" * 70_000}}, "headers: over 56 KB are refused"),
]
