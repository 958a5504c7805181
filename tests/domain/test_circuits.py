"""A workspace that is away or full: transfers wait for it without spending their attempts."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from artifact_pipeline.domain.errors import (
    SourceChangedError,
    SourceMissingError,
    SqlUnavailableError,
    TransferError,
    WorkspaceNotWritableError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.domain.fakes import (
    InMemoryEndpointFailures,
    InMemoryTarget,
    InMemoryWorkspace,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.domain.transfers.circuits import workspace_circuit, writes_circuit
from tests.domain.world import CONFIG, COOL_OFF, RESULTS, World


@dataclass
class Share:
    """Attributes: `failure` is what a look at the workspace finds."""

    world: World
    failure: TransferError | None = None
    failures: InMemoryEndpointFailures = field(default_factory=InMemoryEndpointFailures)

    def __post_init__(self) -> None:
        self.world.circuits = (
            writes_circuit(self._breaker("host, downloads")),
            workspace_circuit(self._breaker("host"), self.probe),
        )

    def probe(self) -> None:
        if self.failure is not None:
            raise self.failure

    def download(self) -> None:
        self.world.download(CONFIG, "d")

    def latest(self, direction: Direction = Direction.UPLOAD) -> Transfer:
        return self.world.latest(CONFIG, direction)

    def _breaker(self, endpoint: str) -> Breaker:
        return Breaker(
            self.failures,
            endpoint,
            threshold=1,
            cool_off=COOL_OFF,
            clock=lambda: self.world.clock().timestamp(),
        )


@pytest.fixture
def share(world: World, monkeypatch: pytest.MonkeyPatch) -> Share:
    """A share below the world's workspace; a file of an absent one is missing."""
    share = Share(world)
    source = type(world.workspace).source

    def look(workspace: InMemoryWorkspace, artifact: Artifact) -> Source:
        if share.failure is not None:
            raise SourceMissingError
        return source(workspace, artifact)

    monkeypatch.setattr(type(world.workspace), "source", look)
    return share


def test_a_file_that_is_missing_with_its_share_waits_and_spends_nothing(share: Share) -> None:
    # Given
    share.failure = WorkspaceUnavailableError()
    # When
    with pytest.raises(WorkspaceUnavailableError):
        share.world.upload()
    # Then
    latest = share.latest()
    assert (latest.state, latest.attempts) == (TransferState.WAITING, 0)
    assert latest.reason_code is ReasonCode.WORKSPACE_UNAVAILABLE
    assert latest.next_attempt_at >= share.world.clock() + COOL_OFF


def test_however_long_the_share_is_away_no_attempt_is_spent(share: Share) -> None:
    # Given
    share.failure = WorkspaceUnavailableError()
    for _ in range(10 * share.world.max_attempts):
        with pytest.raises(WorkspaceUnavailableError):
            share.world.upload()
        share.world.clock.advance(2 * COOL_OFF)
    assert share.latest().attempts == 0
    # When it is back
    share.failure = None
    # Then
    assert share.world.upload().state is TransferState.DONE
    assert share.failures.counts == {}


def test_while_the_breaker_is_open_the_workspace_is_left_alone(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    share.failure = WorkspaceUnavailableError()
    with pytest.raises(WorkspaceUnavailableError):
        share.world.upload()
    # When
    looked: list[object] = []
    monkeypatch.setattr(type(share.world.workspace), "source", lambda *a: looked.append(a))
    with pytest.raises(WorkspaceUnavailableError):
        share.world.upload(RESULTS)
    with pytest.raises(WorkspaceUnavailableError):
        share.download()
    # Then
    assert looked == []
    assert share.failures.counts["host"] == 1


def test_a_file_that_is_missing_in_a_workspace_that_is_there_is_quarantined(share: Share) -> None:
    share.world.workspace.contents.clear()
    with pytest.raises(SourceMissingError):
        share.world.upload()
    assert share.latest().state is TransferState.QUARANTINED
    assert share.failures.counts == {}


def test_a_share_that_goes_away_while_it_is_read_is_no_changed_file(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    def put(*_: object, **__: object) -> None:
        share.failure = WorkspaceUnavailableError()
        raise SourceChangedError

    monkeypatch.setattr(type(share.world.store), "put", put)
    # When
    with pytest.raises(WorkspaceUnavailableError):
        share.world.upload()
    # Then
    assert share.latest().attempts == 0


def test_with_the_database_away_the_attempt_fails_with_its_own_error(share: Share) -> None:
    share.failure = SqlUnavailableError()
    with pytest.raises(SourceMissingError):
        share.world.upload()


def test_a_confirmation_does_not_need_the_workspace(share: Share) -> None:
    # Given
    share.failure = WorkspaceUnavailableError()
    with pytest.raises(WorkspaceUnavailableError):
        share.world.upload()
    # When, then
    share.world.put("jobs/12/2025/10/23/211500/job_config.json", b"put by a client")
    assert share.world.confirm(CONFIG, "c").state is TransferState.DONE


class TestFull:
    @pytest.fixture
    def full(self, share: Share, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        """A stored artifact, and a workspace that is full; returns what makes room."""
        share.world.upload()
        target = InMemoryTarget
        partial = target.partial

        def refuse(*_: object) -> None:
            raise WorkspaceNotWritableError

        monkeypatch.setattr(target, "partial", refuse)
        return lambda: monkeypatch.setattr(target, "partial", partial)

    def test_downloads_wait_until_there_is_room(
        self, share: Share, full: Callable[[], None]
    ) -> None:
        # Given
        for _ in range(10 * share.world.max_attempts):
            with pytest.raises(WorkspaceNotWritableError):
                share.download()
            share.world.clock.advance(2 * COOL_OFF)
        latest = share.latest(Direction.DOWNLOAD)
        assert (latest.state, latest.attempts) == (TransferState.WAITING, 0)
        assert latest.reason_code is ReasonCode.WORKSPACE_NOT_WRITABLE
        # When
        full()
        share.download()
        # Then
        assert share.latest(Direction.DOWNLOAD).state is TransferState.DONE

    @pytest.mark.usefixtures("full")
    def test_uploads_go_on(self, share: Share) -> None:
        with pytest.raises(WorkspaceNotWritableError):
            share.download()
        share.world.workspace.contents[CONFIG] = b"another"
        assert share.world.upload(request_id="again").state is TransferState.DONE
