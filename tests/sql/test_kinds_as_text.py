"""Requests whose kind is plain text, as a producer has it from a request or a form."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import (
    request_download,
    request_job_uploads,
    request_upload,
    request_uploads,
)
from tests.sql.steps import insert, job_row, run_row

RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
Ask = Callable[[Session, str], list[Transfer]]

ASKING: dict[str, Ask] = {
    "request_upload": lambda session, kind: [request_upload(session, kind, 12, 4, publish=False)],
    "request_download": lambda session, kind: [
        request_download(session, kind, 12, 4, publish=False)
    ],
    "request_uploads": lambda session, kind: request_uploads(
        session, [(kind, 12, 4)], publish=False
    ),
    "request_job_uploads": lambda session, kind: request_job_uploads(
        session, 12, kinds=[kind], publish=False
    ),
    "request_job_uploads of one": lambda session, kind: request_job_uploads(
        session, 12, kinds=kind, publish=False
    ),
}


@pytest.fixture
def session(engine: Engine) -> Any:
    insert(engine, job_row(), run_row())
    with Session(engine) as session:
        yield session


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)
def test_a_kind_may_be_given_by_its_text(engine: Engine, session: Session, ask: Ask) -> None:
    # When
    [requested] = ask(session, "run_results")
    session.commit()
    # Then
    assert requested.artifact == RESULTS
    assert type(requested.artifact.kind) is ArtifactKind
    assert SqlTransfers(engine).get_many([requested.id]) == [requested]


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)
def test_another_text_is_refused_with_those_that_are_kinds(session: Session, ask: Ask) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        ask(session, "results")
    assert str(refused.value) == (
        "kind: 'results' is not a kind; give one of job_config, job_input, run_config, run_results,"
        " run_logs"
    )


def test_only_the_kind_of_a_text_is_cancelled(engine: Engine, session: Session) -> None:
    # Given
    requested = request_uploads(
        session, [("run_results", 12, 4), ("run_logs", 12, 4)], publish=False
    )
    session.commit()
    transfers: Any = SqlTransfers(engine)
    # When / Then
    with pytest.raises(InvalidRequestError, match="'logs' is not a kind"):
        transfers.cancel(12, run_id=None, kind="logs")
    [cancelled] = transfers.cancel(12, run_id=None, kind="run_logs")
    assert cancelled.id == requested[1].id
