"""Requests of a producer keep the trace of its transaction."""

import json
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.trace_context import trace_of_message
from artifact_pipeline.domain.model.trace_headers import as_text, parse, trace_headers
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.receipt import BareRequest
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.receipt import record_requests
from artifact_pipeline.worker.sql.transfers.requests import (
    request_download,
    request_job_uploads,
    request_upload,
    request_uploads,
)
from tests.sql.steps import insert, job_row, run_row
from tests.tasks.template_steps import taken
from tests.traces import TRACE

CONFIG, LOGS = ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_LOGS


def traces(engine: Engine) -> list[dict[str, str]]:
    with Session(engine) as session:
        texts = session.scalars(select(TransferRow.trace_headers).order_by(TransferRow.id))
        return [parse(text) for text in texts]


def test_each_way_to_ask_keeps_the_trace(engine: Engine, session: Session, broker: Valkey) -> None:
    # Given a job with two runs
    insert(engine, job_row(), run_row(4), run_row(5))
    # When code in a trace asks, and code without one
    with trace_of_message(TRACE):
        asked = [
            request_upload(session, CONFIG, 12),
            *request_uploads(session, [(LOGS, 12, 90), (LOGS, 12, 91)]),
            *request_job_uploads(session, 12, kinds=[LOGS]),
            request_download(session, CONFIG, 12),
        ]
    asked.append(request_download(session, LOGS, 12, 4))
    session.commit()
    # Then the rows have it, and so have their messages
    assert [parse(each.trace_headers) for each in asked] == [TRACE] * 6 + [{}]
    assert traces(engine) == [TRACE] * 6 + [{}]
    found = [trace_headers(headers) for headers in _headers(broker)]
    assert sorted(map(len, found)) == [0] + [len(TRACE)] * 6


def test_a_bare_request_keeps_the_trace_of_its_message(engine: Engine) -> None:
    bare = BareRequest(
        request_id="a",
        artifact=Artifact(CONFIG, 12),
        direction=Direction.UPLOAD,
        trace_headers=as_text(TRACE),
    )
    record_requests(engine, [bare])
    assert traces(engine) == [TRACE]


def _headers(broker: Valkey) -> list[Any]:
    return [
        json.loads(message)["headers"]
        for messages in taken(broker).values()
        for message in messages
    ]
