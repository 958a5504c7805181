"""Messages that are filled into templates, each made from one real message of Celery's.

Making a message through Celery and kombu costs more than the rest of a publish.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from uuid import uuid4

import kombu.messaging
from celery import Celery

from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.random_ids import random_uuids
from artifact_pipeline.domain.model.trace_headers import NAMES as TRACE_HEADERS
from artifact_pipeline.tasks.app_notes import notes_of
from artifact_pipeline.tasks.message_conditions import beside_settings, is_usual, is_usual_redis
from artifact_pipeline.tasks.redis_push import declare, expires, push
from artifact_pipeline.tasks.routing import BATCH_HEADER

_TEMPLATES = "message_templates"
"""The name of a note."""
_PUSHED_AT_ONCE = 1000
_VARYING = frozenset((BATCH_HEADER, *TRACE_HEADERS))
"""Headers whose values differ between messages of one template."""
_SAMPLE_IDS = {"job_id": MAX_ID - 1, "run_id": MAX_ID}
_Shape = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message of a transfer: what `send_task` is given."""

    task: str
    queue: str
    task_id: str
    ids: Mapping[str, int]
    headers: Mapping[str, int | str]

    def send(self, app: Celery, producer: Any, **further: Any) -> None:  # noqa: ANN401 - of kombu
        """Have Celery make the message, and send it."""
        app.send_task(
            self.task,
            kwargs=dict(self.ids),
            task_id=self.task_id,
            queue=self.queue,
            headers=dict(self.headers),
            producer=producer,
            retry=False,
            ignore_result=True,
            **further,
        )

    @property
    def is_plain(self) -> bool:
        """Whether its id needs no escapes in JSON."""
        return self.task_id.isascii() and self.task_id.replace("-", "").isalnum()

    @property
    def shape(self) -> _Shape:
        """What messages have in common that are filled into one template."""
        return self.task, self.queue, (*self.ids, *self.headers)


def fill_and_send(messages: Sequence[Outgoing], app: Celery, channel: Any) -> bool:  # noqa: ANN401
    """Send the messages from templates, in one round trip for each thousand.

    Returns:
        False if Celery has to make them, since something may change or watch each message. Then
        nothing was sent.
    """
    # Look for changed settings once: that takes longer than filling a template.
    notes = notes_of(app)
    is_usual_app = is_usual(app, notes) and is_usual_redis(channel)
    if not (is_usual_app and all(m.is_plain for m in messages)):
        return False
    queues = [app.amqp.queues[name] for name in {message.queue for message in messages}]
    templates = _templates_of(messages, app, notes, channel)
    if templates is None or any(map(expires, queues)):
        return False
    declare(queues, channel)
    filled = _filled(templates, messages, app)
    for start in range(0, len(filled), _PUSHED_AT_ONCE):
        push(channel, filled[start : start + _PUSHED_AT_ONCE])
    return True


def _filled(
    templates: Mapping[_Shape, "_Template"],
    messages: Sequence[Outgoing],
    app: Celery,
) -> list[tuple[str, str]]:
    """Return the messages, each with the key of its list."""
    origin = _Origin.of(app)
    with_templates = ((templates[message.shape], message) for message in messages)
    with_tags = zip(with_templates, random_uuids(len(messages)), strict=True)
    return [
        (template.key, template.fill(message, origin, tag))
        for (template, message), tag in with_tags
    ]


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where messages come from, as JSON. It is the same for all that leave together."""

    root_id: str
    parent_id: str
    reply_to: str

    @classmethod
    def of(cls, app: Any) -> Self:  # noqa: ANN401 - the stubs lack what is read here
        reply_to = json.dumps(app.thread_oid)
        task = app.current_worker_task
        if task is None:
            return cls("", "null", reply_to)
        request = task.request
        root = request.root_id or request.id
        return cls(json.dumps(root) if root else "", json.dumps(request.id), reply_to)


@dataclass(frozen=True, slots=True)
class _Template:
    """A message with gaps.

    Attributes:
        key: of the list in the broker.
        message: a format with the names of the gaps.
        body: the same of its body, before that is encoded.
    """

    key: str
    message: str
    body: str

    @classmethod
    def of(cls, key: str, payload: str, sample: Outgoing, origin: Mapping[str, str]) -> Self:
        """Make one from a message that Celery has made of the sample."""
        message = json.loads(payload)
        gaps = {
            sample.task_id: "id",
            **{value: name for name, value in origin.items()},
            message["properties"]["delivery_tag"]: "tag",
            message["body"]: "body",
            repr(sample.ids): "repr",
        }
        for name in _VARYING.intersection(sample.headers):
            message["headers"][name] = gap = str(uuid4())
            gaps[gap] = name
        body = json.loads(b64decode(message["body"]))
        ids = {name: str(uuid4()) for name in sample.ids}
        body[1] = ids
        return cls(
            key,
            _with_gaps(message, gaps),
            _with_gaps(body, {gap: name for name, gap in ids.items()}),
        )

    def fill(self, message: Outgoing, origin: _Origin, delivery_tag: str) -> str:
        task_id = f'"{message.task_id}"'
        return self.message % {
            "id": task_id,
            "root_id": origin.root_id or task_id,
            "parent_id": origin.parent_id,
            "reply_to": origin.reply_to,
            "tag": f'"{delivery_tag}"',
            "repr": f'"{message.ids}"',
            # A number is most of them, and takes `dumps` as long as all else here.
            **{n: str(v) if type(v) is int else json.dumps(v) for n, v in message.headers.items()},
            "body": f'"{b64encode((self.body % message.ids).encode()).decode()}"',
        }


def _with_gaps(message: Any, gaps: Mapping[str, str]) -> str:  # noqa: ANN401 - of JSON
    text = json.dumps(message).replace("%", "%%")
    for value, name in gaps.items():
        text = text.replace(json.dumps(value), f"%({name})s")
    return text


def _templates_of(
    messages: Sequence[Outgoing],
    app: Celery,
    notes: dict[Any, Any],
    channel: Any,  # noqa: ANN401 - of kombu
) -> dict[_Shape, _Template] | None:
    """Return the template of each shape, or None if one has none."""
    # Do this once for each shape: looking settings up takes longer than filling a template.
    samples = {message.shape: message for message in messages}
    found = {shape: _template_of(each, app, notes, channel) for shape, each in samples.items()}
    made = {shape: template for shape, template in found.items() if template is not None}
    return made if len(made) == len(found) else None


def _template_of(
    message: Outgoing,
    app: Any,  # noqa: ANN401 - of Celery
    notes: dict[Any, Any],
    channel: Any,  # noqa: ANN401 - of kombu
) -> _Template | None:
    templates = notes.setdefault(_TEMPLATES, {})
    beside = beside_settings(message.task, message.queue, app, channel)
    made_of, template = templates.get(message.shape, (None, None))
    if made_of != beside:
        template = _made(message, app, channel)
        templates[message.shape] = beside, template
    return template  # type: ignore[no-any-return]


def _made(message: Outgoing, app: Celery, channel: Any) -> _Template | None:  # noqa: ANN401
    """Return the template, or None if Celery's message is not what the template becomes."""
    sample = replace(
        message,
        task_id=str(uuid4()),
        ids={name: _SAMPLE_IDS[name] for name in message.ids},
        headers=dict.fromkeys(message.headers, 1),
    )
    origin = {name: str(uuid4()) for name in ("root_id", "parent_id", "reply_to")}
    pushed = _pushed(sample, app, channel, origin)
    if len(pushed) != 1 or pushed[0][0] != "lpush":
        return None
    _command, key, payload = pushed[0]
    if '"content-type": "application/json"' not in payload or '"compression": ' in payload:
        return None
    template = _Template.of(key, payload, sample, origin)
    as_json = _Origin(**{name: json.dumps(value) for name, value in origin.items()})
    tag = json.loads(payload)["properties"]["delivery_tag"]
    return template if template.fill(sample, as_json, tag) == payload else None


def _pushed(
    sample: Outgoing,
    app: Celery,
    channel: Any,  # noqa: ANN401 - of kombu
    origin: Mapping[str, str],
) -> list[tuple[str, ...]]:
    """Return the commands that Celery and kombu would send for it."""
    holding: Any = _HoldingChannel(channel)
    producer = kombu.messaging.Producer(holding, auto_declare=False)
    sample.send(app, producer, add_to_parent=False, **origin)
    held: list[tuple[str, ...]] = holding.held
    return held


class _HoldingChannel:
    """A channel that holds back what it would send."""

    def __init__(self, channel: Any) -> None:  # noqa: ANN401 - of kombu
        self._channel = channel
        self.held: list[tuple[str, ...]] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of the channel
        return getattr(self._channel, name)

    def basic_publish(self, message: Any, **options: Any) -> None:  # noqa: ANN401 - of kombu
        self._channel.basic_publish(message, _publish_batch=self, **options)

    def add(self, *command: str) -> None:
        """Take a command, as a batch of kombu's does."""
        self.held.append(command)
