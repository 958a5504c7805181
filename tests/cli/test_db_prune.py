"""`artifacts db prune`: show, ask, delete."""

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks import dead_letters
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Command
from tests.cli.shelf import CONFIG
from tests.cli.test_json import checked

NOTHING = {
    "transfers": 0,
    "batches": 0,
    "batch_members": 0,
    "artifact_events": 0,
    "dead_letters": 0,
}
TWO = {**NOTHING, "transfers": 2}


@pytest.fixture
def ended(transfers: SqlTransfers) -> SqlTransfers:
    """Three downloads of one artifact."""
    for number in range(3):
        asked = (CONFIG, Direction.DOWNLOAD, str(number))
        claim = transfers.claim(*asked, owner="w", lease=timedelta(hours=1))
        assert claim is not None
        transfers.finish(claim, 0)
    return transfers


def rows(answer: Any) -> dict[str, int]:
    return {row["table"]: row["rows"] for row in answer.json}


def count(transfers: SqlTransfers) -> int:
    found = (transfers.of_request(str(each), 12, Direction.DOWNLOAD) for each in range(3))
    return sum(transfer is not None for transfer in found)


def _answer(said: bool) -> Callable[..., bool]:  # noqa: FBT001 - what is said
    return lambda _question, **_: said


def test_a_dry_run_shows_the_rows_and_deletes_none(artifacts: Command, ended: SqlTransfers) -> None:
    answer = artifacts("db", "prune", "--older-than", "0s", "--dry-run", "--json")
    checked("db prune", answer)
    assert (rows(answer), count(ended)) == (TWO, 3)
    # The letters are in the broker, which is not set
    assert "dead letters are left" in answer.err


def test_old_rows_are_deleted_once(artifacts: Command, ended: SqlTransfers) -> None:
    prune = ("db", "prune", "--older-than", "0s", "--json")
    answers = [rows(artifacts(*prune)) for _ in range(2)]
    assert (answers, count(ended)) == ([TWO, NOTHING], 1)


def test_the_setting_says_how_old(
    artifacts: Command, ended: SqlTransfers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTIFACTS_HISTORY_DAYS", "90")
    assert rows(artifacts("db", "prune", "--json")) == NOTHING
    assert count(ended) == 3


def test_without_an_age_nothing_is_deleted(artifacts: Command, ended: SqlTransfers) -> None:
    answer = artifacts("db", "prune")
    assert answer.status == 2
    assert "--older-than is missing, and ARTIFACTS_HISTORY_DAYS is not set" in answer.err
    assert count(ended) == 3


@pytest.mark.parametrize(("said", "left"), [(True, 1), (False, 3)])
def test_on_a_terminal_it_asks(
    artifacts: Command,
    ended: SqlTransfers,
    monkeypatch: pytest.MonkeyPatch,
    said: bool,  # noqa: FBT001 - a parameter
    left: int,
) -> None:
    # Given a terminal on which the user says yes or no
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", _answer(said))
    # When
    answer = artifacts("db", "prune", "--older-than", "0s")
    # Then
    assert count(ended) == left
    assert (answer.status == 0) is said


def test_the_audit_trail_says_who_pruned_and_why(artifacts: Command, ended: SqlTransfers) -> None:
    # When
    artifacts("db", "prune", "--older-than", "0s", "--actor", "ann", "--reason", "disk is full")
    # Then
    assert count(ended) == 1
    [row] = artifacts("history", "--json").json
    said = [row[name] for name in ("what", "by", "reason", "outcome", "detail")]
    assert said == ["db prune", "ann", "disk is full", "done", "older_than 0 days: 2 rows deleted"]


@pytest.mark.processes
def test_old_dead_letters_are_deleted_too(
    artifacts: Command, database: Engine, queues: Valkey
) -> None:
    # Given
    del database
    with broker_channel(make_app(queues.url)) as channel:
        client: Any = channel.client
        dead_letters.keep_dead_letter(client, "configs", b"", "wrong body")
    # When
    asked = [("1d", "--dry-run"), ("0s", "--dry-run"), ("0s",), ("0s",)]
    answers = [artifacts("db", "prune", "--json", "--older-than", *each) for each in asked]
    # Then
    assert [rows(answer)["dead_letters"] for answer in answers] == [0, 1, 1, 0]
