"""The overview: one read for all who look at it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.maintenance.pipeline_status import DatabaseStatus
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.web.api.models.overview import Overview, Throughput
from artifact_pipeline.worker.web.errors import BusyError
from artifact_pipeline.worker.web.reads.overview import overview_of
from artifact_pipeline.worker.web.shared_read import SharedRead
from artifact_pipeline.worker.web.sources import Sources
from artifact_pipeline.worker.web.threads import Threads

_FIRST_SECONDS = 3.0
"""How long the first answer waits for a database that does not answer."""
_EVERY_SECONDS = 1.0
_MOST_SECONDS = 600.0
"""After which the changes end, so that who looks on must log in again."""
_MOST_WATCHING = 500
_MOST_MADE = 16


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at the database. Attributes: `why` it does not answer."""

    database: DatabaseStatus | None = None
    throughput: tuple[Throughput, ...] = ()
    why: str = ""


_NO_ANSWER = _Look(why="the database has not answered yet")


class Overviews:
    """The overview, from one read per second however many look at it."""

    def __init__(self, sources: Sources, threads: Threads) -> None:
        self._sources = sources
        self._looks = SharedRead(lambda: threads.run(self._look), fresh_seconds=_EVERY_SECONDS)
        # Made once for all, since it costs more than sending it.
        self._texts = SharedRead(self._text, fresh_seconds=_EVERY_SECONDS / 2)
        self._made: dict[object, SharedRead[str]] = {}
        self._watching = 0
        self._is_stopped = False

    async def get(self) -> Overview:
        """Return the overview. A part that does not answer is named in it, and no error."""
        look = await self._looks.get_within(_FIRST_SECONDS) or _NO_ANSWER
        broker = self._sources.watch.view()
        return overview_of(look.database, look.throughput, broker, self._sources.queues, look.why)

    async def made(self, key: object, make: Callable[[Overview], str]) -> str:
        """Return what is made of the overview, once for all who ask for it under this key."""

        async def read() -> str:
            return make(await self.get())

        if key not in self._made and len(self._made) >= _MOST_MADE:
            self._made.clear()
        shared = SharedRead(read, fresh_seconds=_EVERY_SECONDS / 2)
        return await self._made.setdefault(key, shared).get()

    async def changes(
        self,
        read: Callable[[], Awaitable[str]] | None = None,
        every_seconds: float = _EVERY_SECONDS,
    ) -> AsyncIterator[str]:
        """Yield the overview again and again, until the server ends or for ten minutes.

        Args:
            read: returns what is yielded; by default the overview as JSON.
            every_seconds: between two of them.
        """
        read = read or self._texts.get
        for _ in range(int(_MOST_SECONDS / every_seconds)):
            yield await read()
            await asyncio.sleep(every_seconds)
            if self._is_stopped:
                return

    def refuse_too_many(self) -> None:
        """Raise BusyError if so many look at the changes that another one may be an attack."""
        if self._watching >= _MOST_WATCHING:
            raise BusyError(f"{_MOST_WATCHING} pages are open that show changes: close some")

    async def watched(self, changes: AsyncIterator[str]) -> AsyncIterator[str]:
        """Yield the changes, and count who looks at them."""
        self._watching += 1
        try:
            async for each in changes:
                yield each
        finally:
            self._watching -= 1

    def stop(self) -> None:
        """End the changes."""
        self._is_stopped = True

    async def _text(self) -> str:
        return (await self.get()).model_dump_json()

    def _look(self) -> _Look:
        try:
            database = self._sources.status.read()
            throughput = self._sources.throughput.look(database.now)
        except PipelineError as error:
            return _Look(why=redact(str(error)))
        return _Look(database, tuple(throughput))
