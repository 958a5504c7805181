"""Server-sent events of the overview."""

import re
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from artifact_pipeline.worker.web.services.overviews import Overviews

_HEADERS = {"X-Accel-Buffering": "no"}
"""What keeps nginx, and proxies that follow it, from holding events back."""
_LINE_END = re.compile(r"\r\n|\r|\n")
"""Only these end a line of a stream. JSON may have the others that `splitlines` knows."""


def event_stream(overviews: Overviews, texts: AsyncIterator[str], name: str = "") -> Response:
    """Return a response that sends each text as an event.

    Args: `name` of the events, if they have one. Raises: BusyError: too many look at changes.
    """
    head = f"event: {name}\n" if name else ""

    async def stream() -> AsyncIterator[str]:
        with overviews.watching():
            async for text in texts:
                lines = "".join(f"data: {line}\n" for line in _LINE_END.split(text))
                yield f"{head}{lines}\n"

    overviews.refuse_too_many()
    return StreamingResponse(stream(), media_type="text/event-stream", headers=_HEADERS)
