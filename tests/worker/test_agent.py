"""What an agent does around its worker, without a worker process."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    SourceMissingError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.agent.agent import SOMETHING_LEFT, Agent
from artifact_pipeline.worker.agent.registration import agent_name, register
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.named_workspaces import SqlNamedWorkspaces
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace.marker import MARKER

NAME = "sim-1"
HOUR = timedelta(hours=1)
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
EXITS_WITH_3 = (sys.executable, "-c", "import sys; sys.exit(3)")


@dataclass
class FakeWorker:
    """Ends the transfers of its workspace when it is looked at, as a worker would."""

    transfers: SqlTransfers
    fails: bool = False
    works: bool = True
    has_given_up: bool = False
    started: int = 0
    stopped: list[bool] = field(default_factory=list)
    while_it_stops: Callable[[], object] = lambda: None

    def start(self) -> None:
        self.started += 1

    def restart_ended(self) -> str | None:
        if not self.works or self.transfers.latest(CONFIG, Direction.UPLOAD) is None:
            return None
        claim = self.transfers.claim(CONFIG, Direction.UPLOAD, "a", owner="w", lease=HOUR)
        if claim and self.fails:
            self.transfers.quarantine(claim, SourceMissingError())
        elif claim:
            self.transfers.finish(claim, 1)
        return None

    def stop(self, *, interrupts: bool) -> None:
        self.stopped.append(interrupts)
        self.while_it_stops()


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    made = make_engine(sqlite_url)
    yield made
    made.dispose()


@dataclass
class Scene:
    engine: Engine
    tree: Path
    worker: FakeWorker
    said: list[str] = field(default_factory=list)
    dispatches: list[str] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    """How many messages are in its queues, at each look; then none."""

    @property
    def named(self) -> SqlNamedWorkspaces:
        return SqlNamedWorkspaces(self.engine)

    def agent(self, drain_timeout: float = 30) -> Agent:
        return Agent(
            name=NAME,
            workspace_id=register(self.tree, NAME, self.engine),
            workspaces=self.named,
            worker=self.worker,
            drain_timeout=drain_timeout,
            ask_for_dispatch=lambda: self.dispatches.append("asked"),
            count_messages=lambda: self.messages.pop(0) if self.messages else 0,
            forget_queues=lambda: self.dispatches.append("forgotten"),
            say=self.said.append,
        )

    def request(self) -> None:
        self.worker.transfers.request(CONFIG, Direction.UPLOAD, "a", workspace=NAME)


@pytest.fixture
def scene(engine: Engine, tmp_path: Path) -> Scene:
    tree = tmp_path / "tree"
    tree.mkdir()
    return Scene(engine, tree, FakeWorker(SqlTransfers(engine, workspace=NAME)))


class TestRegistration:
    def test_a_tree_keeps_its_identity(self, scene: Scene) -> None:
        # When it is registered twice, as after a restart of its container
        first = register(scene.tree, NAME, scene.engine)
        assert register(scene.tree, NAME, scene.engine) == first
        # Then the same, after it was forgotten at an end in order
        assert scene.named.unregister(NAME, first)
        assert register(scene.tree, NAME, scene.engine) == first

    def test_a_name_of_another_tree_is_refused_and_nothing_is_marked(
        self, scene: Scene, tmp_path: Path
    ) -> None:
        register(scene.tree, NAME, scene.engine)
        with pytest.raises(InvalidRequestError, match="the workspace sim-1 has another directory"):
            register(tmp_path, NAME, scene.engine)
        assert not (tmp_path / MARKER).exists()

    def test_a_tree_of_another_name_is_refused(self, scene: Scene) -> None:
        register(scene.tree, "sim-2", scene.engine)
        with pytest.raises(InvalidRequestError, match="this tree is the workspace sim-2 already"):
            register(scene.tree, NAME, scene.engine)

    def test_the_name_is_that_of_the_host_at_last(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socket.gethostname", lambda: "Pod-7.cluster.local")
        assert agent_name("given", "setting") == "given"
        assert agent_name(None, "setting") == "setting"
        assert agent_name(None, None) == "pod-7"
        monkeypatch.setattr("socket.gethostname", lambda: "p" * 63)
        with pytest.raises(InvalidRequestError, match="give --name"):
            agent_name(None, None)


@pytest.mark.processes
class TestAgent:
    def test_it_drains_after_its_command_and_forgets_the_workspace(self, scene: Scene) -> None:
        # Given an upload that waits for a later attempt
        scene.request()
        claim = scene.worker.transfers.claim(CONFIG, Direction.UPLOAD, "a", owner="w", lease=HOUR)
        assert claim is not None
        scene.worker.transfers.wait(claim, StoreUnavailableError(), HOUR)
        scene.worker.works = False
        agent = scene.agent()
        scene.worker.works = True
        # When
        status = agent.run((sys.executable, "-c", "pass"))
        # Then it was tried at once
        assert (status, scene.worker.stopped) == (0, [False])
        assert scene.dispatches == ["asked", "forgotten"]
        assert scene.named.all() == []
        assert scene.said[-1] == "everything of the workspace sim-1 is stored"

    def test_the_status_tells_what_is_left(self, scene: Scene) -> None:
        # Given a worker that does nothing
        scene.worker.works = False
        scene.request()
        # When the time to drain is over
        assert scene.agent(drain_timeout=0).run((sys.executable, "-c", "pass")) == SOMETHING_LEFT
        # Then what it was at is interrupted, and the workspace stays known
        assert scene.worker.stopped == [True]
        assert scene.said[-1] == (
            "left of the workspace sim-1: 1 transfers are not done, and wait for this directory"
        )
        (kept,) = scene.named.all()
        assert (kept.active, len(kept.ids)) == (1, 1)

    def test_messages_that_no_worker_has_taken_yet_are_waited_for(self, scene: Scene) -> None:
        # Given bare messages, of which SQL knows nothing
        scene.messages = [2, 1]
        # When, then
        assert scene.agent().run((sys.executable, "-c", "pass")) == 0
        assert scene.messages == []
        assert "drains: 2 messages wait in its queues" in scene.said

    def test_messages_that_stay_are_left_and_their_queues_are_kept(self, scene: Scene) -> None:
        scene.messages = [1] * 9
        assert scene.agent(drain_timeout=0).run((sys.executable, "-c", "pass")) == SOMETHING_LEFT
        assert scene.said[-1].startswith(
            "left of the workspace sim-1: 1 messages wait in its queue"
        )
        assert "forgotten" not in scene.dispatches
        assert len(scene.named.all()) == 1

    def test_what_is_asked_for_while_its_worker_stops_is_done_too(self, scene: Scene) -> None:
        # Given a request that comes after the last look
        worker = scene.worker

        def ask() -> None:
            worker.while_it_stops = lambda: None
            scene.request()

        worker.while_it_stops = ask
        # When, then the worker is started again for it
        assert scene.agent().run((sys.executable, "-c", "pass")) == 0
        assert (worker.started, worker.stopped) == (2, [False, False])
        stored = worker.transfers.latest(CONFIG, Direction.UPLOAD)
        assert stored is not None
        assert stored.state is TransferState.DONE

    def test_a_request_after_all_looks_is_left(self, scene: Scene) -> None:
        # Given one that comes when SQL has been asked for the last time
        agent = scene.agent()
        of_looks = iter([False, True])

        def count() -> int:
            if next(of_looks, False):
                scene.request()
            return 0

        object.__setattr__(agent, "count_messages", count)
        # When
        assert agent.run((sys.executable, "-c", "pass")) == SOMETHING_LEFT
        assert "1 transfers are not done" in scene.said[-1]

    def test_a_worker_with_wrong_settings_ends_it(self, scene: Scene) -> None:
        scene.worker.has_given_up = True
        assert scene.agent().run() == os.EX_CONFIG

    def test_the_status_of_the_command_comes_first(self, scene: Scene) -> None:
        assert scene.agent().run(EXITS_WITH_3) == 3
        assert scene.agent().run(("no-such-command-here",)) == 127

    def test_what_was_given_up_meanwhile_is_left(self, scene: Scene) -> None:
        scene.worker.fails = True
        scene.request()
        assert scene.agent().run((sys.executable, "-c", "pass")) == SOMETHING_LEFT
        assert "1 were given up: artifacts quarantine list" in scene.said[-1]

    def test_a_signal_ends_the_command_and_a_second_one_the_drain(self, scene: Scene) -> None:
        # Given a command that never ends, and work that no one does
        scene.worker.works = False
        scene.request()
        pid = os.getpid()

        def say(text: str) -> None:
            scene.said.append(text)
            if text.startswith(("serves", "drains")):
                os.kill(pid, signal.SIGTERM)

        agent = scene.agent(drain_timeout=600)
        object.__setattr__(agent, "say", say)
        # When
        sleeps = (sys.executable, "-c", "import time; time.sleep(600)")
        status = agent.run(sleeps)
        # Then
        assert status == 128 + signal.SIGTERM
        assert scene.said[1] == "the command has ended with status -15"
        assert scene.worker.stopped == [True]


class TestForgotten:
    def test_what_waits_for_a_forgotten_workspace_is_given_up(self, scene: Scene) -> None:
        # Given a workspace that is gone, with an upload, and one whose worker was seen just now
        register(scene.tree, NAME, scene.engine)
        scene.request()
        transfers = scene.worker.transfers
        SqlWorkspaces(scene.engine, name="sim-2").add("another id")
        scene.named.note_sign_of_life("sim-2")
        of_other = Artifact(ArtifactKind.JOB_CONFIG, 14)
        transfers.request(of_other, Direction.UPLOAD, "c", workspace="sim-2")
        other = Artifact(ArtifactKind.JOB_CONFIG, 13)
        scene.worker.transfers.request(other, Direction.UPLOAD, "b")
        # When
        found = scene.named.check_unseen(NAME, timedelta(0))
        assert (found.name, found.active, found.seen_at) == (NAME, 1, None)
        assert scene.named.forget(NAME) == 1
        # Then its transfers say why, and others stay
        given_up = scene.worker.transfers.latest(CONFIG, Direction.UPLOAD)
        assert given_up is not None
        assert given_up.state is TransferState.QUARANTINED
        assert given_up.reason_code is ReasonCode.WORKSPACE_GONE
        kept = scene.worker.transfers.latest(other, Direction.UPLOAD)
        assert kept is not None
        assert kept.state is TransferState.REQUESTED
        assert SqlWorkspaces(scene.engine, name=NAME).known() == frozenset()
        assert scene.named.check_unseen("sim-2", timedelta(0)).active == 1

    def test_one_that_was_seen_lately_is_not_forgotten(self, scene: Scene) -> None:
        register(scene.tree, NAME, scene.engine)
        scene.named.note_sign_of_life(NAME)
        with pytest.raises(InvalidRequestError, match="less than the grace period ago"):
            scene.named.check_unseen(NAME, HOUR)
        with pytest.raises(InvalidRequestError, match="there is no workspace sim-9"):
            scene.named.check_unseen("sim-9", HOUR)
