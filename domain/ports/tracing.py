"""What traces learn of attempts. A trace has ids, figures and codes; never a path or a URL."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

from artifact_pipeline.domain.model.transfers import Claim, Transfer

Adapter = TypeVar("Adapter")

CLAIM = "artifacts.claim"
RECORD = "artifacts.record"
"""The names of steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """How an attempt ended.

    Attributes:
        outcome: done, waiting, quarantined, cancelled or lost.
        reason: the code of the failure, if it failed.
        size: of the artifact, in bytes.
    """

    outcome: str
    reason: str | None = None
    size: int | None = None


class WorkTrace(Protocol):
    """The trace of an attempt, or of a page of uploads."""

    def active(self) -> AbstractContextManager[object]:
        """Have what this thread does belong to it."""

    def link(self, other: "WorkTrace") -> None:
        """Name another one that was done together with it."""

    def end(self, end: AttemptEnd | None = None) -> None:
        """End it, once."""


class Tracing(Protocol):
    """Where traces go. All times are of `time.monotonic()`."""

    def attempt(self, claim: Claim, since: float, claimed_at: float | None = None) -> WorkTrace:
        """Begin the trace of an attempt, in the trace of its request.

        Args:
            claim: of the attempt.
            since: when it began.
            claimed_at: when its claim was made, if that was begun for this attempt alone.
        """

    def page(self, since: float, claimed_at: float) -> WorkTrace:
        """Begin the trace of a page of uploads. Args: as `attempt`."""

    def step(self, name: str) -> AbstractContextManager[object]:
        """Trace a part of what is active in this thread; nothing if nothing is."""

    def publishing(self, transfers: Sequence[Transfer]) -> AbstractContextManager[object]:
        """Trace the sending of messages, each in the trace of its request."""

    def traced(self, adapter: Adapter, prefix: str, calls: Collection[str]) -> Adapter:
        """Return the adapter with a step around each of these calls."""

    def close(self) -> None:
        """Send what is not sent yet; wait a few seconds at most."""


class NoTracing:
    """Traces nothing."""

    def attempt(self, claim: Claim, since: float, claimed_at: float | None = None) -> WorkTrace:  # noqa: ARG002 - as the port has it
        return _NOTHING

    def page(self, since: float, claimed_at: float) -> WorkTrace:  # noqa: ARG002 - as the port has it
        return _NOTHING

    def step(self, name: str) -> AbstractContextManager[object]:  # noqa: ARG002 - as the port has it
        return nullcontext()

    @contextmanager
    def publishing(self, transfers: Sequence[Transfer]) -> Iterator[None]:  # noqa: ARG002 - as the port has it
        yield

    def traced(self, adapter: Adapter, prefix: str, calls: Collection[str]) -> Adapter:  # noqa: ARG002 - as the port has it
        return adapter

    def close(self) -> None: ...


class _NoTrace:
    def active(self) -> AbstractContextManager[object]:
        return nullcontext()

    def link(self, other: WorkTrace) -> None: ...

    def end(self, end: AttemptEnd | None = None) -> None: ...


_NOTHING = _NoTrace()
