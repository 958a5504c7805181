"""The overview: one read for all who look at it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.maintenance.pipeline_status import DatabaseStatus
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.web.api.models.overview import Overview, Throughput
from artifact_pipeline.worker.web.errors import BusyError
from artifact_pipeline.worker.web.reads.broker import BrokerView
from artifact_pipeline.worker.web.reads.overview import overview_of
from artifact_pipeline.worker.web.shared_read import SharedRead
from artifact_pipeline.worker.web.sources import Sources
from artifact_pipeline.worker.web.stop import Stop
from artifact_pipeline.worker.web.threads import Threads

_FIRST_SECONDS = 3.0
"""How long the first answer waits for a database that does not answer."""
_BROKER_SECONDS = 0.5
"""The same for the broker."""
_EVERY_SECONDS = 1.0
_MOST_SECONDS = 600.0
"""After which the changes end, so that who looks on must show their login again."""
_MOST_WATCHING = 500


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
        self._texts: dict[str, SharedRead[str]] = {}
        self._watching = 0
        self._stop = Stop()

    async def get(self) -> Overview:
        """Return the overview. A part that does not answer is named in it, and no error."""
        look = await self._looks.get_within(_FIRST_SECONDS) or _NO_ANSWER
        broker = await self._view(look.database.named_queues if look.database else ())
        return overview_of(look.database, look.throughput, broker, self._sources.queues, look.why)

    async def changes(
        self,
        name: str = "json",
        make: Callable[[Overview], str] = Overview.model_dump_json,
        every_seconds: float = _EVERY_SECONDS,
    ) -> AsyncIterator[str]:
        """Yield what is made of the overview, until the server ends or for ten minutes.

        Args:
            name: of what is made, which is made once for all who ask for this name.
            make: returns the overview as JSON, or as another text.
            every_seconds: between two texts.
        """
        made = SharedRead(self._made(make), fresh_seconds=every_seconds / 2)
        texts = self._texts.setdefault(name, made)
        yield await texts.get()
        for _ in range(int(_MOST_SECONDS / every_seconds)):
            if await self._stop.comes_within(every_seconds):
                return
            yield await texts.get()

    def refuse_too_many(self) -> None:
        """Raise BusyError if so many look at the changes that another one may be an attack."""
        if self._watching >= _MOST_WATCHING:
            raise BusyError(f"{_MOST_WATCHING} pages are open that show changes: close some")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count someone who looks at the changes."""
        self._watching += 1
        try:
            yield
        finally:
            self._watching -= 1

    def stop(self) -> None:
        """End the changes. A handler of a signal may call it."""
        self._stop.set()

    async def _view(self, named: Collection[str]) -> BrokerView:
        """Return what is known of the broker; after a pause that takes a moment."""
        until = time.monotonic() + _BROKER_SECONDS
        view = self._sources.watch.view(named)
        while view.is_awaited and time.monotonic() < until:
            await asyncio.sleep(_BROKER_SECONDS / 10)
            view = self._sources.watch.view(named)
        return view

    def _made(self, make: Callable[[Overview], str]) -> Callable[[], Awaitable[str]]:
        async def made() -> str:
            return make(await self.get())

        return made

    def _look(self) -> _Look:
        try:
            database = self._sources.status.read()
            throughput = self._sources.throughput.look(database.now)
        except PipelineError as error:
            return _Look(why=redact(str(error)))
        return _Look(database, tuple(throughput))
