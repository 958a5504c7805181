"""Actions that take long, and such as fail."""

import asyncio
import threading
from typing import Any

import pytest

from artifact_pipeline.domain.catalog.audited import AuditedAction
from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.fakes import InMemoryAuditTrail
from artifact_pipeline.worker.web import actions as module
from artifact_pipeline.worker.web.access.users import User
from artifact_pipeline.worker.web.actions import Actions
from artifact_pipeline.worker.web.api.models.system import Role
from artifact_pipeline.worker.web.errors import ForbiddenError

ANNA = User("anna", Role.OPERATOR)


@pytest.fixture
def trail() -> InMemoryAuditTrail:
    return InMemoryAuditTrail()


@pytest.fixture
def actions(trail: InMemoryAuditTrail) -> Actions:
    return Actions(lambda: trail)


def carry_out(actions: Actions, do: Any, **options: Any) -> Any:
    given = {"user": ANNA, "reason": "it is fixed", **options}
    return actions.carry_out("quarantine retry", do, **given)


def test_one_that_takes_long_continues_after_the_answer(
    actions: Actions, trail: InMemoryAuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0)
    is_asked, may_end = threading.Event(), threading.Event()

    def do(running: AuditedAction) -> int:
        is_asked.set()
        assert may_end.wait(30)
        running.came_to("all of it")
        return 7

    async def scenario() -> tuple[Any, str | None]:
        ended = await carry_out(actions, do)
        assert is_asked.wait(30)
        before = trail.rows[ended.action_id].outcome
        may_end.set()
        await asyncio.gather(*actions._running)
        return ended, before

    # When
    ended, before = asyncio.run(scenario())
    # Then
    assert (ended.result, before) == (None, None)
    kept = trail.rows[ended.action_id]
    assert (kept.outcome, kept.result, kept.target) == ("done", "all of it", {"via": "web"})


def test_one_that_fails_is_kept_as_such(actions: Actions, trail: InMemoryAuditTrail) -> None:
    def do(_running: AuditedAction) -> None:
        raise SqlUnavailableError("it is away")

    with pytest.raises(SqlUnavailableError):
        asyncio.run(carry_out(actions, do))
    assert trail.rows[1].outcome == "failed"


def test_without_the_role_nothing_begins(actions: Actions, trail: InMemoryAuditTrail) -> None:
    reader = User("bert", Role.READ_ONLY)
    with pytest.raises(ForbiddenError, match=r"^bert may only read"):
        asyncio.run(carry_out(actions, lambda _running: None, user=reader))
    assert trail.rows == {}


def test_what_cannot_be_kept_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    trail = InMemoryAuditTrail()
    done: list[AuditedAction] = []

    def refuse(_action: object) -> int:
        raise SqlUnavailableError("it is away")

    monkeypatch.setattr(trail, "begin", refuse)
    # Then
    with pytest.raises(SqlUnavailableError):
        asyncio.run(carry_out(Actions(lambda: trail), done.append))
    assert done == []
