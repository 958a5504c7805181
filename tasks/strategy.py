"""How a worker takes a message in."""

from collections.abc import Callable
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default


def refusing_malformed(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., Any]:  # noqa: ANN401
    """Celery's own strategy, behind a look at the shape of the body.

    Celery unpacks it without looking: a body of another shape ends the whole worker, and then the
    next one, for the broker delivers the message again.
    """
    handler = default(task, app, consumer, **options)

    def handle(message: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if not _is_well_formed(message.payload):
            raise InvalidTaskError("a body of another shape")
        return handler(message, *args, **kwargs)

    return handle


def _is_well_formed(body: object) -> bool:
    """Whether it is [args, kwargs, embed], as Celery's second protocol has it.

    https://docs.celeryq.dev/en/stable/internals/protocol.html
    """
    if not isinstance(body, (list, tuple)) or len(body) != 3:  # noqa: PLR2004 - just these
        return False
    args, kwargs, embed = body
    return (
        isinstance(args, (list, tuple))
        and isinstance(kwargs, dict)
        and (embed is None or isinstance(embed, dict))
    )
