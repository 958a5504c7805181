"""The use case of an upload: done, waiting or quarantined, and never silent."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import (
    AttemptsExhaustedError,
    ChecksumMismatchError,
    ChecksumMismatchTwiceError,
    PermanentError,
    PoisonedError,
    RunOfAnotherJobError,
    SourceEmptyError,
    SourceMissingError,
    StoreUnavailableError,
    UnexpectedError,
    UnknownJobError,
    UnknownRunError,
)
from artifact_pipeline.domain.fakes import InMemorySource
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.domain.reasons import ReasonCode
from tests.domain.world import CONFIG, CONFIG_KEY, LEASE, RESULTS, World


class Repacked(InMemorySource):
    """Other bytes than those of the former release."""

    def __init__(self, former: Source) -> None:
        super().__init__(b"".join(former.chunks())[::-1], exact_size=None)
        object.__setattr__(self, "former", (former,))


def results(job_id: int, run_id: int) -> Artifact:
    return Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)


class TestDone:
    def test_the_transfer_is_done_and_the_artifact_recorded(self, world: World) -> None:
        summary = world.upload()
        assert (summary.state, summary.size) == (TransferState.DONE, 13)
        assert summary.seconds is not None
        stored = world.artifacts.rows[CONFIG]
        assert (stored.object.key, stored.stored_at) == (CONFIG_KEY, world.clock())
        assert (world.latest().state, world.latest().bytes_sent) == (TransferState.DONE, 13)

    def test_results_are_told_to_the_platform(self, world: World) -> None:
        world.upload(RESULTS)
        assert world.artifacts.locations == {
            RESULTS: "https://bucket.s3.invalid/jobs/12/2025/10/23/211500/run_4_results.zip"
        }

    def test_links_left_out_are_recorded_and_logged(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def source(_: object, artifact: Artifact) -> Source:
            content = world.workspace.contents[artifact]
            return InMemorySource(content, exact_size=None, links_left_out=2)

        monkeypatch.setattr(type(world.workspace), "source", source)
        world.upload(RESULTS)
        assert world.artifacts.rows[RESULTS].links_left_out == 2
        assert "2 links left out" in caplog.text

    def test_an_attempt_after_a_failed_one_succeeds(self, world: World) -> None:
        world.store.failures = [StoreUnavailableError()]
        with pytest.raises(StoreUnavailableError):
            world.upload()
        world.clock.advance(timedelta(minutes=1))
        assert world.upload().state is TransferState.DONE
        assert (world.latest().attempts, world.latest().reason_code) == (2, None)


class TestNothingToDo:
    def test_a_duplicate_message_after_the_end_does_nothing(self, world: World) -> None:
        world.upload()
        done, stored = world.latest(), world.artifacts.rows[CONFIG]
        world.clock.advance(timedelta(days=1))
        assert world.upload().state is TransferState.DONE
        assert (world.latest(), world.artifacts.rows[CONFIG]) == (done, stored)
        assert world.store.puts.total() == 1

    def test_a_transfer_that_another_worker_holds_is_left_to_it(self, world: World) -> None:
        world.claim()
        assert world.upload().state is TransferState.RUNNING
        assert world.store.puts.total() == 0

    def test_an_attempt_that_is_not_due_is_left_for_later(self, world: World) -> None:
        world.store.failures = [StoreUnavailableError()]
        with pytest.raises(StoreUnavailableError):
            world.upload()
        assert world.upload().state is TransferState.WAITING
        assert world.latest().attempts == 1


class TestUnchangedBytes:
    def test_they_are_not_sent_again_but_recorded(self, world: World) -> None:
        world.upload(request_id="first")
        world.clock.advance(timedelta(days=1))
        summary = world.upload(request_id="second")
        assert (summary.state, summary.size) == (TransferState.DONE, 13)
        assert world.store.puts == {CONFIG_KEY: 1}
        latest = world.latest()
        assert (latest.request_id, latest.state) == ("second", TransferState.DONE)
        assert latest.bytes_sent == 0

    def test_an_archive_of_unknown_size_is_compared_too(self, world: World) -> None:
        for request_id in ("first", "second"):
            world.upload(RESULTS, request_id)
        assert world.store.puts.total() == 1

    def test_an_archive_in_the_form_of_a_former_release_is_not_sent_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given: results that the former release has sent
        world.upload(RESULTS, "first")
        former = world.workspace.source(RESULTS)
        monkeypatch.setattr(type(world.workspace), "source", lambda *_: Repacked(former))
        # When
        for request_id in ("second", "third"):
            summary = world.upload(RESULTS, request_id)
            # Then
            assert (summary.state, world.latest(RESULTS).bytes_sent) == (TransferState.DONE, 0)
        assert world.store.puts.total() == 1
        assert list(world.store.objects.values()) == [b"".join(former.chunks())]

    def test_they_are_sent_again_when_the_bucket_lost_them(self, world: World) -> None:
        world.upload(request_id="first")
        world.store.objects.clear()
        world.upload(request_id="second")
        # One for each upload, and one that found the object gone which it was to replace.
        assert world.store.puts == {CONFIG_KEY: 3}
        assert CONFIG_KEY in world.store.objects

    def test_they_are_sent_again_when_they_lie_under_another_key(self, world: World) -> None:
        world.upload(request_id="first")
        stored = world.artifacts.rows[CONFIG]
        elsewhere = replace(stored.object, key="jobs/12/2025/10/23/211501/job_config.json")
        world.artifacts.rows[CONFIG] = replace(stored, object=elsewhere)
        world.store.objects = {elsewhere.key: world.workspace.contents[CONFIG]}
        world.upload(request_id="second")
        assert world.store.puts == {CONFIG_KEY: 2}
        assert world.artifacts.rows[CONFIG].object.key == CONFIG_KEY

    @pytest.mark.parametrize("changed", [b'{"epochs": 4}', b'{"epochs": 40}'])
    def test_changed_bytes_are_sent(self, world: World, changed: bytes) -> None:
        world.upload(request_id="first")
        world.workspace.contents[CONFIG] = changed
        world.upload(request_id="second")
        assert world.store.objects == {CONFIG_KEY: changed}
        assert world.artifacts.rows[CONFIG].object.size == len(changed)


class TestPermanentFailure:
    @pytest.mark.parametrize(
        ("artifact", "error"),
        [
            (Artifact(ArtifactKind.JOB_CONFIG, 99), UnknownJobError),
            (results(12, 99), UnknownRunError),
            (results(12, 7), RunOfAnotherJobError),
            (Artifact(ArtifactKind.JOB_INPUT, 12), SourceMissingError),
            (Artifact(ArtifactKind.RUN_LOGS, 12, 4), SourceEmptyError),
        ],
        ids=lambda value: value.__name__ if isinstance(value, type) else "",
    )
    def test_it_is_quarantined_at_once_with_its_reason(
        self, world: World, artifact: Artifact, error: type[PermanentError]
    ) -> None:
        world.workspace.contents[Artifact(ArtifactKind.RUN_LOGS, 12, 4)] = b""
        with pytest.raises(error):
            world.upload(artifact)
        latest = world.latest(artifact)
        assert (latest.state, latest.reason_code) == (TransferState.QUARANTINED, error.reason)
        assert latest.finished_at == world.clock()
        assert world.artifacts.find(artifact) is None

    def test_a_transfer_that_kills_its_workers_ends(self, world: World) -> None:
        # Given as many workers as there are attempts, each lost with its lease
        for _ in range(world.max_attempts):
            world.claim()
            world.clock.advance(LEASE)
        # Then the next one gives up without touching the bytes
        with pytest.raises(PoisonedError):
            world.upload()
        latest = world.latest()
        assert latest.state is TransferState.QUARANTINED
        assert latest.reason_code is ReasonCode.POISONED
        assert world.store.puts.total() == 0


class TestTransientFailure:
    @pytest.mark.parametrize("error", [StoreUnavailableError(), ChecksumMismatchError()], ids=repr)
    def test_it_waits_for_its_next_attempt(
        self, world: World, error: StoreUnavailableError | ChecksumMismatchError
    ) -> None:
        world.store.failures = [error]
        with pytest.raises(type(error)):
            world.upload()
        latest = world.latest()
        assert (latest.state, latest.reason_code) == (TransferState.WAITING, error.reason)
        assert latest.next_attempt_at > world.clock()
        assert world.artifacts.find(CONFIG) is None

    def test_exhausted_attempts_are_quarantined_and_name_the_last_error(self, world: World) -> None:
        world.store.failures = [StoreUnavailableError("503 Slow Down") for _ in range(3)]
        for expected in (StoreUnavailableError, StoreUnavailableError, AttemptsExhaustedError):
            with pytest.raises(expected):
                world.upload()
            world.clock.advance(timedelta(hours=1))
        latest = world.latest()
        assert latest.state is TransferState.QUARANTINED
        assert latest.reason_code is ReasonCode.ATTEMPTS_EXHAUSTED
        assert latest.last_error == "attempt 3 of 3: s3_unavailable: 503 Slow Down"

    def test_a_wrong_checksum_is_tried_again_once(self, world: World) -> None:
        world.store.failures = [ChecksumMismatchError(), ChecksumMismatchError()]
        for expected in (ChecksumMismatchError, ChecksumMismatchTwiceError):
            with pytest.raises(expected):
                world.upload()
            world.clock.advance(timedelta(hours=1))
        latest = world.latest()
        assert latest.state is TransferState.QUARANTINED
        assert latest.reason_code is ReasonCode.CHECKSUM_MISMATCH_TWICE
        assert latest.attempts == 2

    def test_two_wrong_checksums_with_another_failure_between_are_not_the_end(
        self, world: World
    ) -> None:
        world.max_attempts = 4
        between = StoreUnavailableError()
        world.store.failures = [ChecksumMismatchError(), between, ChecksumMismatchError()]
        for error in list(world.store.failures):
            with pytest.raises(type(error)):
                world.upload()
            world.clock.advance(timedelta(hours=1))
        assert world.upload().state is TransferState.DONE

    def test_an_unexpected_exception_waits_and_is_raised_redacted(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.store.failures = [ValueError("cannot read /work/secret.txt")]
        with pytest.raises(UnexpectedError, match=r"^ValueError: cannot read <path>$"):
            world.upload()
        latest = world.latest()
        assert (latest.state, latest.reason_code) == (
            TransferState.WAITING,
            ReasonCode.UNEXPECTED,
        )
        assert latest.last_error == "ValueError: cannot read <path>"
        assert "unexpected ValueError" in caplog.text
        assert "secret.txt" not in caplog.text

    @pytest.mark.parametrize("failure", [StoreUnavailableError, SourceMissingError])
    def test_each_failure_says_so_in_the_log(
        self,
        world: World,
        caplog: pytest.LogCaptureFixture,
        failure: Callable[[], StoreUnavailableError | SourceMissingError],
    ) -> None:
        error = failure()
        world.store.failures = [error]
        with pytest.raises(type(error)), caplog.at_level(logging.WARNING):
            world.upload()
        assert f"{CONFIG}: " in caplog.text
        assert error.reason in caplog.text
