"""The deployment: findings, leases, settings; the audit trail."""

import asyncio
from typing import Any

import pytest

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.operator_actions import NewAction
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.diagnosis.findings import ok, warning
from artifact_pipeline.worker.settings import WebSettings
from artifact_pipeline.worker.sql.audit_trail import SqlAuditTrail
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.web.reads.settings import shown_settings
from artifact_pipeline.worker.web.services.system import SystemService
from artifact_pipeline.worker.web.threads import Threads
from tests.web.steps import MINUTE, Client, World

FINDINGS = [ok("a", "it is well"), warning("b", "it is not", why="it is slow", fix="start it")]


@pytest.fixture
def system(world: World) -> SystemService:
    """With a doctor that is quick."""
    found = SystemService(world.sources, Threads(), lambda: FINDINGS)
    world.service.__dict__["system"] = found
    return found


def value_of(settings: list[Any], variable: str) -> Any:
    [found] = [each for each in settings if each.variable == variable]
    return found.value


class TestFindings:
    def test_a_later_answer_has_them(self, system: SystemService) -> None:
        async def twice() -> Any:
            await system.get()
            await system._examined.get()
            return await system.get()

        # When
        answer = asyncio.run(twice())
        # Then
        assert [(each.check, each.severity) for each in answer.findings] == [
            ("a", "ok"),
            ("b", "warning"),
        ]
        assert answer.findings[1].fix == "start it"
        assert (answer.is_examining, answer.examined_at is not None) == (False, True)

    def test_an_answer_does_not_wait_for_the_doctor(self, world: World) -> None:
        # Given a doctor who takes as long as the test
        waiting = asyncio.Event()

        async def ask() -> Any:
            found = SystemService(world.sources, Threads(), lambda: FINDINGS)

            async def examine() -> Any:
                await waiting.wait()

            found._examined._read = examine
            answer = await found.get()
            waiting.set()
            return answer

        # When
        answer = asyncio.run(ask())
        # Then
        assert (answer.findings, answer.is_examining) == (None, True)


@pytest.mark.usefixtures("system")
class TestAnswers:
    def test_leases_that_expire_first_come_first(self, client: Client, world: World) -> None:
        # Given
        world.rows.add(TransferState.RUNNING, lease_expires_at=-MINUTE, lease_owner="b@host")
        world.rows.add(TransferState.RUNNING, lease_expires_at=MINUTE, lease_owner="a@host")
        world.rows.add(TransferState.REQUESTED)
        # When
        leases = client.answer("/system")["leases"]
        # Then
        assert [(each["owner"], each["is_expired"]) for each in leases] == [
            ("a@host", True),
            ("b@host", False),
        ]

    def test_parts_that_are_away_are_named(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a broker that is away too
        def now(_self: SqlTransfers) -> None:
            raise SqlUnavailableError("it is away")

        monkeypatch.setattr(SqlTransfers, "now", now)
        # When
        answer = client.answer("/system")
        # Then
        assert {each["part"] for each in answer["missing"]} == {"database", "broker"}
        assert (answer["leases"], answer["dead_letters"]) == (None, None)
        assert [worker["name"] for worker in answer["workers"]] == ["one@host"]

    def test_no_secret_is_shown(self) -> None:
        # Given a secret in each setting that may have one
        settings = WebSettings(
            database_url="postgresql+psycopg://user:hunter2@db:5432/artifacts?password=hunter2",
            broker_url="rediss://:hunter2@one:6379/0;rediss://:hunter2@two:6379/0",
            bucket="artifacts",
            web_logins="anna:operator:hunter2",
            web_secret="hunter2" * 8,
        )
        # When
        shown = shown_settings(settings)
        # Then
        assert "hunter2" not in str(shown)
        assert "anna:operator" not in repr(settings)
        assert value_of(shown, "ARTIFACTS_DATABASE_URL") == (
            "postgresql+psycopg://db:5432/artifacts"
        )
        assert value_of(shown, "ARTIFACTS_BROKER_URL") == "rediss://one:6379/0, rediss://two:6379/0"
        assert value_of(shown, "ARTIFACTS_WEB_LOGINS") == "(set)"
        assert value_of(shown, "ARTIFACTS_BUCKET") == "artifacts"
        assert value_of(shown, "ARTIFACTS_S3_ADDRESSING") == "auto"
        assert value_of(shown, "ARTIFACTS_LEASE_SECONDS") == "60"
        assert value_of(shown, "ARTIFACTS_WEB_HOSTS") is None


def test_a_text_is_shown_only_where_that_is_decided() -> None:
    # A new setting is no exception
    given: dict[str, Any] = dict.fromkeys(WebSettings.model_fields, "hunter2")
    shown = shown_settings(WebSettings.model_construct(**given))
    visible = {
        each.variable.removeprefix("ARTIFACTS_") for each in shown if each.value == "hunter2"
    }
    assert visible == {
        *("BUCKET", "STORE", "OTHER_STORES", "BROKER_PREFIX", "S3_TAGS", "KMS_KEY_ID"),
        *("WEB_USER_HEADER", "WEB_TRUSTED_PROXIES", "WEB_OPERATORS", "WEB_HOSTS"),
        *("S3_ADDRESSING", "SSE", "ZIP_TIMES"),
    }


def test_the_audit_trail_comes_in_pages(client: Client, world: World) -> None:
    # Given
    trail = SqlAuditTrail(world.engine)
    for number in range(3):
        trail.begin(NewAction(name="batch pause", actor="<b>anna</b>", reason=f"{number}"))
    # When
    first = client.answer("/audit", limit=2)
    second = client.answer("/audit", limit=2, before=first["next"])
    # Then
    assert [each["reason"] for each in first["entries"] + second["entries"]] == ["2", "1", "0"]
    assert (second["next"], first["entries"][0]["outcome"]) == (None, "unfinished")
    assert first["entries"][0]["by"] == "<b>anna</b>"
