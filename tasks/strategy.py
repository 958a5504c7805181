"""How a worker takes a message in."""

from collections.abc import Callable, Container, Mapping
from functools import partial
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default
from kombu.exceptions import ContentDisallowed

from artifact_pipeline.tasks.message_body import LINKS
from artifact_pipeline.tasks.receipt import bare_request, receipt_of

_LARGEST_SHOWN = 2**63


def refusing_malformed(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., Any]:  # noqa: ANN401
    """Return Celery's own strategy, behind a check of the body.

    Celery unpacks it without looking: a body of another shape ends the whole worker, and then the
    next one, for the broker delivers the message again.
    """
    handler = default(task, app, consumer, **options)
    names = list(task.arguments.model_fields)

    def handle(message: Any, payload: Any, ack: Any, *rest: Any) -> None:  # noqa: ANN401
        body = message.payload
        if not _is_well_formed(body):
            raise InvalidTaskError("a body of another shape")
        message.headers.update(_shown(body, names))
        go_on = partial(handler, message, payload, ack, *rest)
        later = partial(_handle_recorded, consumer, message, payload, go_on)
        if not _is_recorded_first(app, consumer, message, later):
            go_on()

    return handle


def _handle_recorded(
    consumer: Any,  # noqa: ANN401 - Celery's
    message: Any,  # noqa: ANN401 - kombu's
    payload: Any,  # noqa: ANN401
    go_on: Callable[[], Any],
) -> None:
    """Give a message to Celery, and reject it if Celery refuses it.

    Celery does so itself only while it receives a message. Otherwise the message would stay
    unacknowledged, and count against the prefetch limit, for as long as the worker lives.
    """
    try:
        go_on()
    except (InvalidTaskError, ContentDisallowed) as error:
        consumer.on_invalid_task(payload, message, error)


def _is_recorded_first(app: Any, consumer: Any, message: Any, go_on: Callable[[], Any]) -> bool:  # noqa: ANN401
    """Have a bare message's request recorded in SQL, and go on with it afterwards.

    A message that is lost from then on is sent again by the dispatch.
    """
    args, kwargs, _embed = message.payload
    receipt = receipt_of(app)
    queue = (message.delivery_info or {}).get("routing_key") or ""
    request = bare_request(message.headers, args, kwargs, queue) if receipt else None
    # Celery discards what was revoked; a row would have it sent again and again.
    if receipt is None or request is None or message.headers["id"] in _revoked(consumer):
        return False
    return receipt.record(request, go_on)


def _revoked(consumer: Any) -> Container[str]:  # noqa: ANN401 - Celery's
    revoked: Container[str] = consumer.controller.state.revoked
    return revoked


def _is_well_formed(body: object) -> bool:
    """Return whether it is [args, kwargs, embed] of Celery's second protocol, alone.

    https://docs.celeryq.dev/en/stable/internals/protocol.html
    """
    if not isinstance(body, (list, tuple)) or len(body) != 3:  # noqa: PLR2004 - just these
        return False
    args, kwargs, embed = body
    return (
        isinstance(args, (list, tuple))
        and isinstance(kwargs, dict)
        and (embed is None or (isinstance(embed, dict) and _is_empty(embed)))
    )


def _is_empty(embed: Mapping[str, object]) -> bool:
    """Return whether no other task is to run at its end: no producer of ours asks for one.

    Any further key would take the place of what Celery knows of the request, its id included.
    """
    return embed.keys() <= LINKS and not any(embed.values())


def _shown(body: Any, names: list[str]) -> dict[str, str]:  # noqa: ANN401
    """Return what the log and the events show of the arguments: ids, whatever the sender claims."""
    args, kwargs, _embed = body
    ids = {name: kwargs[name] for name in names if _is_id(kwargs.get(name))}
    return {"argsrepr": repr(tuple(filter(_is_id, args[: len(names)]))), "kwargsrepr": repr(ids)}


def _is_id(value: object) -> bool:
    return type(value) is int and abs(value) < _LARGEST_SHOWN
