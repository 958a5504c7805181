"""What a worker's main process learns of uploads that its other processes do."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from artifact_pipeline.domain.errors import SourceMissingError, StoreUnavailableError
from artifact_pipeline.domain.model.transfers import TransferState, TransferSummary
from artifact_pipeline.worker.messages import handled_uploads
from artifact_pipeline.worker.messages.handled_uploads import HandledUploads
from tests.worker.handled_steps import TASK, claimed, ended, message


def test_the_message_of_an_upload_that_is_done_has_nothing_to_do(handled: HandledUploads) -> None:
    handled.ended([ended("a")])
    assert handled.is_handled(message("a"))
    assert not handled.is_handled(message("b"))


def test_another_message_of_an_upload_with_a_task_has_nothing_to_do(
    handled: HandledUploads,
) -> None:
    # Given uploads whose messages were handled, of which one has failed
    handled.ended([ended("a")], ended("b"))
    handled.ended([ended("c")], ended("d", StoreUnavailableError("503")))
    # Then
    assert handled.is_handled(message("b"))
    assert not handled.is_handled(message("d"))
    # And their own tasks say how they ended
    assert [end.request_id for end in handled.take_ends()] == ["a", "c"]


@pytest.mark.parametrize(
    "result",
    [
        SourceMissingError("there is no file"),
        StoreUnavailableError("503"),
        TransferSummary(state=TransferState.CANCELLED),
        TransferSummary(state=TransferState.RUNNING),
    ],
    ids=["quarantined", "to be tried again", "cancelled", "taken over"],
)
def test_a_message_counts_unless_its_upload_is_done(
    handled: HandledUploads, result: TransferSummary | Exception
) -> None:
    handled.claimed([claimed("a")])
    handled.ended([ended("a", result)])
    assert not handled.is_handled(message("a"))


def test_the_message_of_an_upload_under_way_has_nothing_to_do(handled: HandledUploads) -> None:
    handled.claimed([claimed("a"), claimed("b")])
    assert handled.is_handled(message("a"))
    assert handled.is_handled(message("b"))


def test_a_message_counts_again_once_its_upload_is_released(handled: HandledUploads) -> None:
    handled.claimed([claimed("a"), claimed("b")])
    handled.releasing([claimed("a")])
    assert not handled.is_handled(message("a"))
    assert handled.is_handled(message("b"))


def test_a_claim_is_forgotten_before_its_lease_can_expire(
    handled: HandledUploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the uploads of a child that was killed
    handled.claimed([claimed("a"), claimed("b")])
    assert handled.is_handled(message("a"))
    # When
    later = time.monotonic() + handled_uploads.IN_HAND_SECONDS
    monkeypatch.setattr(handled_uploads, "monotonic", lambda: later)
    # Then
    assert not handled.is_handled(message("a"))
    # And nothing is left of them after the next claim
    handled.claimed([claimed("c")])
    assert handled.is_handled(message("c"))
    assert list(handled._in_hand) == ["c"]


def test_a_release_waits_for_the_main_process(handled: HandledUploads) -> None:
    # Given a main process that has not read for long
    handled.claimed([claimed("a")])
    while handled._send(b"[]"):
        """Fill the socket."""
    with ThreadPoolExecutor() as pool:
        # When
        released = pool.submit(handled.releasing, [claimed("a")])
        while not released.done():
            handled.read()
        handled.read()
    # Then
    assert not handled.is_handled(message("a"))


def test_a_full_socket_holds_up_no_upload(handled: HandledUploads) -> None:
    while handled._send(b"[]"):
        """Fill the socket."""
    handled.ended([ended("a")])
    assert not handled.is_handled(message("a"))


def test_many_uploads_are_told_of_however_long_their_ids_are(handled: HandledUploads) -> None:
    ids = [f"{number:0255}" for number in range(1_000)]
    for start in range(0, len(ids), 100):
        handled.ended([ended(request_id) for request_id in ids[start : start + 100]])
        handled.read()
    assert all(handled.is_handled(message(request_id)) for request_id in ids)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handled_uploads, "_REMEMBERED", 2)
    with closing(HandledUploads()) as handled:
        for request_id in ("a", "b", "c"):
            handled.ended([ended(request_id)])
        known = [handled.is_handled(message(request_id)) for request_id in ("a", "b", "c")]
    assert known == [False, True, True]


@pytest.mark.parametrize(
    "element",
    [
        message("b", task="artifacts.download_job_config", id="a"),
        message("b", parent_id="a"),
        message("b", argsrepr='("id": "a")'),
        message("b", extra={"id": "a"}),
        b'{"id": "a"',
        b'{"id": "a", "headers": null}',
        b'{"headers": {"task": "%s", "id": ["a"]}, "id": "a"}' % TASK.encode(),
        b'["id", {"id": "a"}]',
        message("a") + b" " * 2**14,
    ],
    ids=range(9),
)
def test_only_the_uploads_own_messages_are_dropped(handled: HandledUploads, element: bytes) -> None:
    handled.ended([ended("a")])
    assert not handled.is_handled(element)
