"""Everything that the API answers and the pages show, as methods that raise PipelineError."""

from collections.abc import Callable
from functools import cached_property
from typing import ParamSpec, TypeVar

from artifact_pipeline.worker.settings import WebSettings, load
from artifact_pipeline.worker.web.access.csrf import CsrfTokens, Signer
from artifact_pipeline.worker.web.actions import Actions
from artifact_pipeline.worker.web.services.batches import BatchService
from artifact_pipeline.worker.web.services.contents import Contents
from artifact_pipeline.worker.web.services.jobs import Jobs
from artifact_pipeline.worker.web.services.overviews import Overviews
from artifact_pipeline.worker.web.services.quarantine import QuarantineService
from artifact_pipeline.worker.web.services.system import SystemService
from artifact_pipeline.worker.web.services.trails import TrailService
from artifact_pipeline.worker.web.services.transfer_lists import TransferLists
from artifact_pipeline.worker.web.sources import Sources
from artifact_pipeline.worker.web.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")


class WebService:
    """The reads and the actions, by subject. It connects when something is first asked for.

    Args: `sources` that it reads; by default those of the settings in the environment.
    """

    def __init__(self, sources: Sources | None = None) -> None:
        self.sources = sources or Sources.of(load(WebSettings))
        self._threads = Threads()
        self.signer = Signer(self.sources.settings.web_secret or "")
        self.csrf = CsrfTokens(self.signer)
        self._actions = Actions(lambda: self.sources.adapters.audit_trail)

    @cached_property
    def overviews(self) -> Overviews:
        return Overviews(self.sources, self._threads)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.sources, self._threads)

    @cached_property
    def contents(self) -> Contents:
        return Contents(self.sources)

    @cached_property
    def batches(self) -> BatchService:
        return BatchService(self.sources, self._threads, self._actions)

    @cached_property
    def quarantine(self) -> QuarantineService:
        return QuarantineService(self.sources, self._threads, self._actions, self.signer)

    @cached_property
    def system(self) -> SystemService:
        return SystemService(self.sources, self._threads)

    @cached_property
    def transfers(self) -> TransferLists:
        return TransferLists(self.sources, self._threads)

    @cached_property
    def trails(self) -> TrailService:
        return TrailService(self.sources, self._threads)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function that takes a while returns, and answer others meanwhile."""
        return await self._threads.run(call, *args, **kwargs)

    def stop(self) -> None:
        """End the answers that never end by themselves."""
        self.overviews.stop()

    def close(self) -> None:
        """Close all connections."""
        for name in ("contents", "system"):
            if name in self.__dict__:
                self.__dict__[name].close()
        self._actions.close()
        self._threads.close()
        self.sources.close()
