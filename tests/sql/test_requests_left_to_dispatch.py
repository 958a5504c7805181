"""Requests whose messages the dispatch sends, and who made them."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import InvalidRequestError, ProducerNotConfiguredError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import (
    SessionRequests,
    request_download,
    request_upload,
)
from tests.contract.transfer_steps import loss
from tests.sql.producer import (
    Sent,
    black_hole,
    count_rows,
    message_of,
    producing_to,
    swept,
)
from tests.sql.steps import CONFIG, HOUR


@pytest.fixture
def no_producer_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artifact_pipeline.tasks.app._producer", None)


class TestWithoutAMessage:
    def test_it_is_left_to_the_dispatch(
        self, engine: Engine, session: Session, broker: Valkey, sent: Sent
    ) -> None:
        # Given
        transfer = request_upload(session, ArtifactKind.RUN_RESULTS, 12, 4, publish=False)
        # When
        session.commit()
        # Then the commit sends nothing, and the next dispatch does, without a grace
        assert sent() == []
        # Given a dispatch that leaves a fresh request to its producer for an hour
        waits = loss(unclaimed_after=HOUR)
        assert swept(engine, broker, waits) == [message_of(transfer)]

    def test_no_app_is_needed(self, engine: Engine, no_producer_app: None) -> None:  # noqa: ARG002
        with Session(engine) as session, session.begin():
            with pytest.raises(ProducerNotConfiguredError):
                request_upload(session, ArtifactKind.JOB_CONFIG, 12)
            request_upload(session, ArtifactKind.JOB_CONFIG, 12, publish=False)
            request_download(session, ArtifactKind.JOB_CONFIG, 12, publish=False)
        assert count_rows(engine) == 2

    def test_a_hanging_broker_is_not_asked(self, engine: Engine) -> None:
        with (
            black_hole() as (url, connections),
            producing_to(url),
            Session(engine) as session,
            session.begin(),
        ):
            request_upload(session, ArtifactKind.JOB_CONFIG, 12, publish=False)
        assert not connections

    def test_neither_is_a_confirmation_sent(
        self, engine: Engine, session: Session, broker: Valkey, sent: Sent
    ) -> None:
        # Given
        expected = SqlTransfers(engine).expect(CONFIG, "a", HOUR)
        # When
        SessionRequests(session, publish=False).confirm(12, None)
        session.commit()
        # Then
        assert sent() == []
        assert [message.id for message in swept(engine, broker)] == [expected.request_id]


@pytest.mark.parametrize("asking", [request_upload, request_download])
def test_who_asks_is_recorded(
    engine: Engine, session: Session, sent: Sent, asking: Callable[..., Transfer]
) -> None:
    # When
    with session.begin():
        transfer = asking(session, ArtifactKind.RUN_RESULTS, 12, 4, requested_by=42)
    # Then SQL has it, and the task id as well, by which Flower finds it
    assert transfer.requested_by == "42"
    assert SqlTransfers(engine).get_many([transfer.id]) == [transfer]
    (message,) = sent()
    assert message.id == transfer.request_id
    assert message.id.startswith("user-42-")


def test_a_requester_that_is_none_is_refused(engine: Engine, session: Session) -> None:
    with pytest.raises(InvalidRequestError, match="requested_by"):
        request_upload(session, ArtifactKind.JOB_CONFIG, 12, requested_by="https://host/")
    session.commit()
    assert count_rows(engine) == 0
