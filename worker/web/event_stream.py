"""Server-sent events."""

from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse


class EventStream(StreamingResponse):
    """Sends each text as an event.

    Args:
        texts: what is sent.
        name: of the events; without one, htmx puts the text into the page.
    """

    def __init__(self, texts: AsyncIterator[str], name: str | None = None) -> None:
        # nginx collects a response before it hands it on, unless this header forbids it.
        headers = {"X-Accel-Buffering": "no"}
        events = _events(texts, name)
        super().__init__(events, media_type="text/event-stream", headers=headers)


async def _events(texts: AsyncIterator[str], name: str | None) -> AsyncIterator[str]:
    of_name = [] if name is None else [f"event: {name}"]
    async for text in texts:
        lines = [*of_name, *(f"data: {line}" for line in text.splitlines())]
        yield "\n".join(lines) + "\n\n"
