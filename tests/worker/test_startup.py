"""Waiting for what is away, and ending for what is wrong, without any server."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    BrokerUnavailableError,
    MisconfiguredError,
    PipelineError,
    SqlUnavailableError,
    StoreUnavailableError,
)
from artifact_pipeline.worker.lifecycle.liveness import Liveness
from artifact_pipeline.worker.lifecycle.startup import WrongError, wait_until_reached
from artifact_pipeline.worker.sql.errors import SchemaError


class Server:
    """Fails with each of the errors in turn, and then answers."""

    def __init__(self, *failures: PipelineError) -> None:
        self._failures = list(failures)
        self.looks = 0

    def __call__(self) -> None:
        self.looks += 1
        if self._failures:
            raise self._failures.pop(0)


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def pause(pauses: list[float]) -> Callable[[float], None]:
    return pauses.append


def test_where_all_answer_there_is_no_pause(
    pauses: list[float], pause: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    wait_until_reached({"broker": Server(), "bucket": Server()}, pause=pause)
    assert (pauses, caplog.messages) == ([], [])


def test_what_is_away_is_asked_again_after_growing_pauses(
    pauses: list[float], pause: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    existing, away = Server(), Server(*(SqlUnavailableError("refused") for _ in range(6)))
    # When
    with caplog.at_level(logging.WARNING):
        wait_until_reached({"broker": existing, "database": away}, pause=pause)
    # Then
    assert pauses == [1, 2, 4, 8, 10, 10]
    assert (existing.looks, away.looks) == (1, 7)
    assert len(caplog.messages) == len(pauses)
    assert caplog.messages[0] == ("not started yet, the next look is in 1 s: database: refused")


def test_a_schema_that_is_not_as_needed_is_waited_for(
    pauses: list[float], pause: Callable[[float], None], tmp_path: Path
) -> None:
    # Given a database whose migration comes later
    seen: list[str] = []
    older = Server(SchemaError("its version is 0001"))

    def look_and_wait(seconds: float) -> None:
        seen.append((tmp_path / "alive").read_text())
        pause(seconds)

    # When
    wait_until_reached({"database": older}, Liveness(tmp_path / "alive"), look_and_wait)
    # Then
    assert pauses == [1]
    assert seen == ["database: its version is 0001"]


@pytest.mark.parametrize(
    "wrong",
    [MisconfiguredError("AWS_PROFILE=x: no such\nprofile"), AccessDeniedError("denied")],
    ids=["setting", "permission"],
)
def test_what_is_wrong_ends_it_even_while_another_part_is_away(
    pauses: list[float], pause: Callable[[float], None], wrong: PipelineError
) -> None:
    # Given
    parts = {"broker": Server(BrokerUnavailableError()), "bucket": Server(wrong)}
    # When
    with pytest.raises(WrongError) as ended:
        wait_until_reached(parts, pause=pause)
    # Then
    assert str(ended.value) == "bucket: " + " ".join(str(wrong).split())
    assert pauses == []


def test_what_turns_out_wrong_once_it_answers_ends_it(pause: Callable[[float], None]) -> None:
    server = Server(StoreUnavailableError("away"), AccessDeniedError("denied"))
    with pytest.raises(WrongError, match=r"^bucket: denied$"):
        wait_until_reached({"bucket": server}, pause=pause)


def test_the_liveness_file_says_what_is_waited_for(tmp_path: Path) -> None:
    # Given
    file, said = tmp_path / "alive", []
    # When
    wait_until_reached(
        {"database": Server(SqlUnavailableError("refused"))},
        Liveness(file),
        lambda _: said.append(file.read_text()),
    )
    # Then
    assert said == ["database: refused"]
    assert file.read_text() == ""


def test_a_password_in_an_error_is_not_logged(
    pause: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(SqlUnavailableError("postgresql://u:hunter2@h/db is away"))
    with caplog.at_level(logging.WARNING):
        wait_until_reached({"database": server}, pause=pause)
    assert "hunter2" not in caplog.text


def test_what_is_wrong_is_told_without_a_password() -> None:
    # Given
    wrong = MisconfiguredError("postgresql://user:hunter2@db/platform is no database")
    # When
    with pytest.raises(WrongError) as ended:
        wait_until_reached({"database": Server(wrong)})
    # Then
    assert "hunter2" not in str(ended.value)
