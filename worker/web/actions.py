"""Actions of users: each is kept in the audit trail before it begins, with its end."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from artifact_pipeline.domain.catalog.audited import AuditedAction, audited
from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.operator_actions import NewAction, action_reason
from artifact_pipeline.domain.model.requester import requester_name
from artifact_pipeline.domain.ports.audit_trail import IAuditTrail
from artifact_pipeline.worker.web.access.users import User
from artifact_pipeline.worker.web.api.models.system import Role
from artifact_pipeline.worker.web.threads import Threads

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 10.0
"""Shorter than what a reverse proxy waits for an answer."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """An action. Attributes: `result` is None while the action continues."""

    action_id: int
    result: T | None


class Actions:
    """Carries out actions, and keeps them.

    Args: `trail` returns the audit trail; it is asked when an action begins.
    """

    def __init__(self, trail: Callable[[], IAuditTrail]) -> None:
        self._trail = trail
        self._threads = Threads()
        self._running: set[asyncio.Future[Any]] = set()

    async def carry_out(  # noqa: PLR0913 - all that the audit trail keeps
        self,
        name: str,
        do: Callable[[AuditedAction], T],
        *,
        user: User,
        reason: str,
        batch_id: int | None = None,
        target: dict[str, Any] | None = None,
    ) -> Ended[T]:
        """Do it; one that takes long continues after the answer.

        Raises:
            ForbiddenError: the user may only read.
            InvalidRequestError: the reason is empty.
            PipelineError: as `do`.
        """
        user.require(Role.OPERATOR)
        action = NewAction(
            name=name,
            actor=requester_name(user.name) or user.name,
            reason=action_reason(reason, needed_for=name),
            batch_id=batch_id,
            target={**(target or {}), "via": "web"},
        )
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[int] = loop.create_future()

        def kept() -> T:
            with audited(self._trail(), action) as running:
                loop.call_soon_threadsafe(begun.set_result, running.id)
                return do(running)

        doing = asyncio.ensure_future(self._threads.run(kept))
        self._running.add(doing)
        doing.add_done_callback(self._ended)
        either: set[asyncio.Future[Any]] = {doing, begun}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait({doing}, timeout=_PATIENCE_SECONDS)
        result = doing.result() if done else None
        return Ended(await begun, result)

    def close(self) -> None:
        """Begin nothing more; what is under way is ended."""
        self._threads.close()

    def _ended(self, doing: "asyncio.Future[Any]") -> None:
        self._running.discard(doing)
        if not doing.cancelled() and isinstance(error := doing.exception(), PipelineError):
            logger.info("an action failed: %s", type(error).__name__)
