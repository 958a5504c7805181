"""Histories at random: however a transfer goes, SQL and S3 agree once upkeep has run."""

import threading

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from artifact_pipeline.domain.fakes import InMemoryTransfers
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.transfers import lease
from tests.contract.pipeline import CONFIG, NOW, Pipeline
from tests.contract.repositories import Repositories

_SETTINGS = settings(
    stateful_step_count=10,
    deadline=None,
    database=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


class ProtocolMachine(RuleBasedStateMachine):
    """The rules of `spec/single_put.py` and `spec/confirmation.py`, on the pipeline's own code."""

    def __init__(self, repositories: Repositories) -> None:
        super().__init__()
        repositories.clear()
        self.pipeline = Pipeline(repositories, max_attempts=2)
        self.pipeline.write_file(b"one")
        self.pipeline.upload("first")
        self.requests = 0
        self.has_url = False

    @property
    def is_active(self) -> bool:
        last = self.pipeline.transfers.latest(CONFIG, Direction.UPLOAD)
        return last is not None and last.state.is_active

    @rule(content=st.sampled_from([b"one", b"two"]))
    def the_file_changes(self, content: bytes) -> None:
        self.pipeline.write_file(content)

    @precondition(lambda self: not self.is_active)
    @rule(content=st.sampled_from([b"two", b"one"]))
    def the_producer_asks(self, content: bytes) -> None:
        self.pipeline.write_file(content)
        self.requests += 1
        self.pipeline.transfers.request(CONFIG, Direction.UPLOAD, f"request-{self.requests}")

    @precondition(lambda self: self.is_active)
    @rule(loses_answer=st.booleans())
    def a_worker_uploads(self, *, loses_answer: bool) -> None:
        self.pipeline.store.lost_answers = int(loses_answer)
        self.pipeline.upload(self.pipeline.latest().request_id)
        self.pipeline.store.lost_answers = 0

    @precondition(lambda self: self.is_active)
    @rule(content=st.sampled_from([b"one", b"two"]), loses_answer=st.booleans())
    def a_worker_is_overtaken(self, *, content: bytes, loses_answer: bool) -> None:
        def be_overtaken() -> None:
            self.pipeline.expire_lease()
            self.pipeline.write_file(content)
            # Its successor does the whole upload before the late write arrives.
            self.pipeline.upload(self.pipeline.latest().request_id)

        self.pipeline.store.before_write = be_overtaken
        self.pipeline.store.lost_answers = int(loses_answer)
        self.pipeline.upload(self.pipeline.latest().request_id)
        self.pipeline.store.before_write = None
        self.pipeline.store.lost_answers = 0

    @precondition(lambda self: self.is_active)
    @rule(content=st.sampled_from([b"one", b"two"]))
    def a_worker_renews_its_expired_lease(self, content: bytes) -> None:
        def renew() -> None:
            self.pipeline.expire_lease()
            self.pipeline.write_file(content)
            self.pipeline.transfers.renew(self.pipeline.holder())
            # Another worker finds the transfer running.
            self.pipeline.upload(self.pipeline.latest().request_id)

        self.pipeline.store.before_write = renew
        self.pipeline.upload(self.pipeline.latest().request_id)
        self.pipeline.store.before_write = None

    @precondition(lambda self: self.is_active)
    @rule()
    def a_worker_is_cancelled_while_it_sends(self) -> None:
        self.pipeline.store.before_write = self.the_operator_cancels
        self.pipeline.upload(self.pipeline.latest().request_id)
        self.pipeline.store.before_write = None

    @precondition(lambda self: self.is_active)
    @rule()
    def the_operator_cancels(self) -> None:
        self.pipeline.transfers.cancel(12, None, None)

    @rule()
    def a_url_is_given(self) -> None:
        self.requests += 1
        self.pipeline.transfers.expect(CONFIG, f"url-{self.requests}", NOW)
        self.has_url = True

    @precondition(lambda self: self.has_url)
    @rule(content=st.sampled_from([b"three", b"four"]))
    def the_client_puts(self, content: bytes) -> None:
        self.pipeline.client_puts(content)

    @precondition(lambda self: self.has_url)
    @rule(content=st.sampled_from([b"three", b"four", b"five"]))
    def a_worker_confirms(self, content: bytes) -> None:
        self.pipeline.client_puts(content)
        if content == b"five":
            self.pipeline.before_record = lambda: self.pipeline.client_puts(b"again")
        for asked in self.pipeline.transfers.make_due(Direction.CONFIRM, 12, None):
            self.pipeline.confirm(asked.request_id)
        self.pipeline.before_record = None

    @rule()
    def reconcile_runs(self) -> None:
        # It looks as if every URL had expired.
        self.has_url = False
        self.pipeline.verify()

    def teardown(self) -> None:
        self.pipeline.transfers.make_due(Direction.CONFIRM, 12, None)
        self.pipeline.run_upkeep()
        assert self.pipeline.agrees()


def test_sql_and_s3_agree_after_any_history(
    repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The thread that renews a lease every five seconds would change a history if the machine
    # stalls for so long, and Hypothesis would report it as flaky. A rule renews instead.
    monkeypatch.setattr(lease, "renewal_interval", lambda _: threading.TIMEOUT_MAX)

    class Machine(ProtocolMachine):
        def __init__(self) -> None:
            super().__init__(repositories)

    # A database takes a hundred times as long as the fakes.
    is_fake = isinstance(repositories.transfers, InMemoryTransfers)
    percent = 150 if is_fake else 15
    examples = settings().max_examples * percent // 100
    run_state_machine_as_test(Machine, settings=settings(_SETTINGS, max_examples=examples))
