"""The notes of refused messages."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from artifact_pipeline.tasks import dead_letters as letters
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.integration.envelopes import KNOWN, SECRET, envelope

pytestmark = pytest.mark.processes

BODY = b'[[], {"job_id": 12, "run_id": "x"}, {}]'


@pytest.fixture
def channel(broker: Valkey) -> Iterator[Any]:
    with broker_channel(make_app(broker.url)) as channel:
        yield channel


def keep(channel: Any, element: bytes, reason: str = "wrong body") -> None:
    letters.keep_dead_letter(channel.client, "configs", element, reason)


def test_what_can_be_read_is_kept(channel: Any) -> None:
    element = json.dumps(envelope(BODY, "an id")).encode()
    keep(channel, element)
    [letter] = letters.dead_letters(channel)
    assert (letter.queue, letter.reason, letter.size) == ("configs", "wrong body", len(element))
    assert (letter.task, letter.request_id) == (KNOWN, "an id")
    assert (letter.job_id, letter.run_id) == (12, None)
    assert abs(letter.at - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    "element",
    [
        *(b"", b"\xff", SECRET.encode(), b"[" * 5_000, b"[1]", b"x" * 10**6),
        json.dumps(envelope(SECRET.encode(), SECRET)).encode(),
        json.dumps({"headers": {"task": SECRET, "id": [1]}, "body": {}}).encode(),
    ],
    ids=lambda element: str(element[:10]),
)
def test_secrets_and_rubbish_are_not_kept(channel: Any, broker: Valkey, element: bytes) -> None:
    keep(channel, element, f"for {SECRET}")
    [letter] = letters.dead_letters(channel)
    assert (letter.size, letter.job_id) == (len(element), None)
    with broker.client() as client:
        [raw] = client.lrange("artifacts.dead_letters", 0, -1)
    assert b"hunter2" not in raw
    assert b"X-Amz" not in raw


def test_only_the_newest_are_kept(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "MOST", 3)
    for number in range(5):
        keep(channel, b"", str(number))
    assert [letter.reason for letter in letters.dead_letters(channel)] == ["4", "3", "2"]
    assert letters.count_dead_letters(channel) == 3


def test_some_or_all_are_discarded(channel: Any) -> None:
    for number in range(3):
        keep(channel, b"", str(number))
    newest = letters.dead_letters(channel)[0]
    assert letters.discard_dead_letters(channel, {newest.id, "no id"}) == 1
    assert [letter.reason for letter in letters.dead_letters(channel)] == ["1", "0"]
    assert letters.discard_dead_letters(channel, None) == 2
    assert letters.dead_letters(channel) == []


def test_old_ones_are_pruned(channel: Any) -> None:
    # Given two that are a day old, and one that was kept just now
    day = timedelta(days=1)
    long_ago = int((datetime.now(UTC) - day).timestamp())
    for _ in range(2):
        channel.client.lpush("artifacts.dead_letters", f"{long_ago} {{}}")
    keep(channel, b"", "new")
    # When
    pruned = [letters.prune_dead_letters(channel, age) for age in (2 * day, day, day)]
    # Then
    assert pruned == [0, 2, 0]
    assert [letter.reason for letter in letters.dead_letters(channel)] == ["new"]
    assert letters.prune_dead_letters(channel, timedelta(0)) == 1
    assert letters.prune_dead_letters(channel, timedelta(0)) == 0


def test_a_broker_that_takes_no_note_stops_nothing(broker: Valkey, channel: Any) -> None:
    with broker.client() as client:
        client.set("artifacts.dead_letters", "of another type")
    keep(channel, b"")
