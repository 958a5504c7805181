"""What a client uploads by a URL."""

import hashlib
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    InvalidRequestError,
    NeverUploadedError,
    ObjectReplacedError,
    SourceEmptyError,
    UploadAwaitedError,
)
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.transfers import (
    Direction,
    Transfer,
    TransferState,
    TransferSummary,
)
from artifact_pipeline.domain.reasons import ReasonCode
from tests.domain.world import CONFIG, CONFIG_KEY, EXPIRES_AFTER, World

CONFIRM = Direction.CONFIRM
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
RUN_CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)
HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> World:
    return World()


def given_url(world: World, artifact: Artifact = CONFIG, request_id: str = "a") -> Transfer:
    """As `submit_job_config` does."""
    world.jobs.keep_location(12, artifact.kind, UploadLocation("https://bucket.s3.invalid/k"))
    return world.transfers.expect(artifact, request_id, HOUR)


def ask(world: World) -> TransferSummary:
    """Somebody says that it is there, and the message that this brings about is worked on."""
    world.request_confirmations(12, None)
    return world.confirm(CONFIG, "a")


def latest(world: World, artifact: Artifact = CONFIG) -> Transfer:
    return world.latest(artifact, CONFIRM)


class TestUploaded:
    def test_size_and_checksum_are_recorded(self, world: World) -> None:
        given_url(world)
        world.put(CONFIG_KEY, b"from a client")
        summary = ask(world)
        assert (summary.state, summary.size) == (TransferState.DONE, 13)
        stored = world.artifacts.rows[CONFIG]
        assert stored.object.key == CONFIG_KEY
        assert stored.object.sha256 == hashlib.sha256(b"from a client").hexdigest()
        assert world.artifacts.locations[CONFIG].endswith(CONFIG_KEY)

    def test_it_replaces_what_was_recorded(self, world: World) -> None:
        world.workspace.contents[CONFIG] = b"before"
        world.upload()
        world.clock.advance(HOUR)
        given_url(world)
        world.put(CONFIG_KEY, b"from a client")
        ask(world)
        assert world.artifacts.rows[CONFIG].object.size == 13

    def test_the_same_bytes_again(self, world: World) -> None:
        world.workspace.contents[CONFIG] = b"same"
        world.upload()
        world.clock.advance(HOUR)
        given_url(world)
        world.put(CONFIG_KEY, b"same")
        world.reader.reads.clear()
        assert ask(world).state is TransferState.DONE
        assert world.reader.reads == []

    def test_nothing_in_it(self, world: World) -> None:
        given_url(world)
        world.put(CONFIG_KEY, b"")
        with pytest.raises(SourceEmptyError):
            ask(world)
        assert latest(world).state is TransferState.QUARANTINED

    def test_bytes_that_are_not_the_objects(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given_url(world)
        world.put(CONFIG_KEY, b"from a client")
        monkeypatch.setattr(InMemoryReader, "read", lambda *_: iter([b"corrupted"]))
        with pytest.raises(ChecksumMismatchError):
            ask(world)
        assert CONFIG not in world.artifacts.rows

    def test_another_was_recorded_while_it_was_read(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given_url(world)
        world.put(CONFIG_KEY, b"from a client")
        reads = InMemoryReader.read

        def read(reader: InMemoryReader, *args: object) -> object:
            yield from reads(reader, *args)  # type: ignore[arg-type] # as they come
            world.workspace.contents[CONFIG] = b"from a worker"
            world.upload(request_id="b")

        monkeypatch.setattr(InMemoryReader, "read", read)
        with pytest.raises(ObjectReplacedError):
            ask(world)
        # Then what the worker stored is what is recorded, and the next look confirms it
        digest = hashlib.sha256(b"from a worker").hexdigest()
        assert world.artifacts.rows[CONFIG].object.sha256 == digest
        assert latest(world).state is TransferState.WAITING


class TestNotYet:
    def test_asked_too_early_it_waits_and_tries_again(self, world: World) -> None:
        given_url(world)
        with pytest.raises(UploadAwaitedError):
            ask(world)
        waiting = latest(world)
        assert waiting.state is TransferState.WAITING
        assert (waiting.attempts, waiting.reason_code) == (0, ReasonCode.UPLOAD_AWAITED)
        # When the client has uploaded
        world.put(CONFIG_KEY, b"late")
        world.clock.advance(waiting.next_attempt_at - world.clock())
        assert world.confirm(CONFIG, "a").state is TransferState.DONE

    def test_the_looks_become_rarer(self, world: World) -> None:
        given_url(world)
        waits = []
        for _ in range(20):
            with pytest.raises(UploadAwaitedError):
                ask(world)
            waits.append(latest(world).next_attempt_at - world.clock())
            world.clock.advance(waits[-1])
        assert waits == sorted(waits)
        assert (waits[0], waits[-1]) == (timedelta(seconds=2), timedelta(minutes=10))

    def test_what_lay_there_when_the_url_was_given_is_not_the_upload(self, world: World) -> None:
        world.workspace.contents[CONFIG] = b"before"
        world.upload()
        world.put(CONFIG_KEY, b"before")
        world.clock.advance(HOUR)
        given_url(world)
        with pytest.raises(UploadAwaitedError):
            ask(world)

    def test_a_url_that_was_never_used(self, world: World) -> None:
        given_url(world)
        world.clock.advance(EXPIRES_AFTER + timedelta(seconds=1))
        with pytest.raises(NeverUploadedError):
            world.confirm(CONFIG, "a")
        ended = latest(world)
        assert (ended.state, ended.reason_code) == (
            TransferState.QUARANTINED,
            ReasonCode.NEVER_UPLOADED,
        )


class TestAsked:
    def test_all_that_is_expected_of_the_job_gets_a_message(self, world: World) -> None:
        given_url(world)
        given_url(world, INPUT)
        world.transfers.expect(RUN_CONFIG, "a", HOUR)
        assert world.request_confirmations(12, None) == 2
        assert [transfer.artifact for transfer in world.published] == [CONFIG, INPUT]

    def test_a_url_that_was_given_without_being_expected(self, world: World) -> None:
        world.jobs.keep_location(12, CONFIG.kind, UploadLocation("https://bucket.s3.invalid/k"))
        world.put(CONFIG_KEY, b"from a client")
        assert world.request_confirmations(12, None) == 1
        (requested,) = world.published
        assert world.confirm(CONFIG, requested.request_id).state is TransferState.DONE

    def test_asked_once_more_there_is_nothing_to_do(self, world: World) -> None:
        given_url(world)
        world.put(CONFIG_KEY, b"from a client")
        ask(world)
        assert world.request_confirmations(12, None) == 0

    def test_no_url_was_given(self, world: World) -> None:
        with pytest.raises(InvalidRequestError, match="no upload URL was given for job 12 run 4"):
            world.request_confirmations(12, 4)

    def test_one_that_runs_needs_no_message(self, world: World) -> None:
        given_url(world)
        world.transfers.make_due(CONFIRM, 12, None)
        world.transfers.claim(CONFIG, CONFIRM, "a", owner="worker-2", lease=HOUR)
        assert world.request_confirmations(12, None) == 0


def test_a_cancelled_confirmation_stops(world: World) -> None:
    given_url(world)
    world.put(CONFIG_KEY, b"from a client")
    world.request_confirmations(12, None)
    world.transfers.cancel(12, None, CONFIG.kind)
    assert world.confirm(CONFIG, "a").state is TransferState.CANCELLED
    assert CONFIG not in world.artifacts.rows


def test_a_put_that_ends_just_before_its_url_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a look that has found nothing
    given_url(world)
    finds = InMemoryReader.find

    def find(reader: InMemoryReader, address: ObjectAddress) -> BucketObject | None:
        found = finds(reader, address)
        if found is None:
            # When the client's PUT ends, and only then the time is up
            world.put(CONFIG_KEY, b"from a client")
            world.clock.advance(EXPIRES_AFTER + timedelta(seconds=1))
        return found

    monkeypatch.setattr(InMemoryReader, "find", find)
    world.transfers.make_due(CONFIRM, 12, None)
    # Then it is recorded
    assert world.confirm(CONFIG, "a").state is TransferState.DONE
    assert CONFIG in world.artifacts.rows
