"""One trace on real servers: the broker forgets all, the worker is killed, the upload is stored.

python -m benchmarks.traced_upload PICTURE.svg
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from matplotlib.figure import Figure as Canvas
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from benchmarks.collector import Receiver, receiving
from tests.faults.proxy import TcpProxy
from tests.integration.deployment import Deployment

REQUEST = "the producer's transaction"
_PART = 5 * 2**20
_PARTS = 3
_ARRIVED = 1
_WORKER = {
    "ARTIFACTS_TRACING": "true",
    "ARTIFACTS_LEASE_SECONDS": "1",
    "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0",
    "ARTIFACTS_PART_SIZE": str(_PART),
    "ARTIFACTS_MULTIPART_THRESHOLD": str(_PART),
    "ARTIFACTS_TRANSFER_THREADS": "1",
    "OTEL_BSP_SCHEDULE_DELAY": "50",
}
_ROW_INCHES = 0.34
_COLOURS = ("#6b7280", "#2a7f62", "#7fb59f")
"""By the depth in the tree."""
_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Traced:
    """What came of the upload.

    Attributes:
        spans: of its trace, by their start.
        transfer: as it ended.
    """

    spans: Sequence[Span]
    transfer: Transfer


def record() -> Traced:
    """Upload on real servers through a FLUSHALL and a killed worker; return the trace."""
    with (
        temporary_directory() as directory,
        receiving() as receiver,
        EmbeddedStack(directory) as stack,
        TcpProxy(("127.0.0.1", stack.s3.port)) as s3,
    ):
        deployed = Deployment(stack)
        artifact = Artifact(ArtifactKind.JOB_INPUT, deployed.job(datetime.now(UTC)))
        deployed.write(artifact, os.urandom(_PARTS * _PART))
        request_id = _request(stack, artifact, receiver)
        _kill_in_the_middle(deployed, artifact, receiver, s3)
        with stack.broker.client() as client:
            client.flushall()
        second = {**_WORKER, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        stack.start_worker("--concurrency", "1", "--beat", environment=second)
        transfer = deployed.ended(artifact)
        assert transfer.request_id == request_id
        deployed.wait_until(lambda: any(_is_over(span) for span in receiver.spans))
        return Traced(_of_one_trace(receiver), transfer)


def _request(stack: EmbeddedStack, artifact: Artifact, receiver: Receiver) -> str:
    """Ask in a transaction of a platform that traces itself."""
    provider = TracerProvider(resource=Resource({"service.name": "platform"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{receiver.url}/v1/traces")))
    app = producer_app(stack.broker.url)
    with (
        provider.get_tracer("platform").start_as_current_span(REQUEST),
        Session(stack.engine) as session,
        session.begin(),
    ):
        transfer = request_upload(session, artifact.kind, artifact.job_id, app=app)
    provider.shutdown()
    return transfer.request_id


def _kill_in_the_middle(
    deployed: Deployment, artifact: Artifact, receiver: Receiver, s3: TcpProxy
) -> None:
    # So slow that the upload is not done before.
    s3.throttle(_PART)
    slow = {
        **_WORKER,
        "ARTIFACTS_S3_ENDPOINT_URL": f"http://127.0.0.1:{s3.port}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
    }
    worker = deployed.stack.start_worker("--concurrency", "1", environment=slow)
    deployed.wait_until(lambda: deployed.parts(artifact) >= _ARRIVED)
    deployed.wait_until(lambda: bool(receiver.named("artifacts.claim")))
    worker.kill()
    s3.cut()


def _is_over(span: Span) -> bool:
    return span.name == "artifacts.upload"


def _of_one_trace(receiver: Receiver) -> Sequence[Span]:
    [request] = receiver.named(REQUEST)
    spans = [span for span in receiver.spans if span.trace_id == request.trace_id]
    return sorted(spans, key=lambda span: span.start_time_unix_nano)


def draw(spans: Sequence[Span], picture: Path) -> None:
    """Draw the spans over time, each in a row under the one that it belongs to."""
    rows = list(_in_rows(spans, b"", 0))
    began = min(span.start_time_unix_nano for span in spans)
    canvas = Canvas(figsize=(10, 1 + _ROW_INCHES * len(rows)), layout="constrained")
    axes = canvas.subplots()
    for position, (depth, span) in enumerate(rows):
        start = (span.start_time_unix_nano - began) / _NANOSECONDS
        seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / _NANOSECONDS
        axes.barh(
            position, max(seconds, 0.01), left=start, color=_COLOURS[min(depth, 2)], height=0.6
        )
        axes.text(start + max(seconds, 0.01), position, f"  {_label(span)}", va="center", size=8)
    axes.set_yticks(range(len(rows)), [f"{'   ' * depth}{span.name}" for depth, span in rows])
    for label in axes.get_yticklabels():
        label.set(fontsize=8, horizontalalignment="left")
    axes.tick_params(axis="y", pad=170, length=0)
    axes.invert_yaxis()
    ended = max(span.end_time_unix_nano for span in spans)
    axes.set_xlim(0, 1.6 * (ended - began) / _NANOSECONDS)
    axes.set_xlabel("seconds since the request")
    canvas.savefig(picture, metadata={"Date": None})


def _in_rows(spans: Sequence[Span], parent: bytes, depth: int) -> Sequence[tuple[int, Span]]:
    """Return the spans in the order of a tree; what a killed attempt left is in the request."""
    [root] = [span.span_id for span in spans if not span.parent_span_id]
    known = {span.span_id for span in spans}
    found: list[tuple[int, Span]] = []
    for span in spans:
        is_lost = span.parent_span_id and span.parent_span_id not in known
        above = root if is_lost else span.parent_span_id
        if above == parent:
            found += [(depth, span), *_in_rows(spans, span.span_id, depth + 1)]
    return found


def _label(span: Span) -> str:
    wanted = ("attempt", "outcome", "queue_seconds")
    shown = []
    for each in span.attributes:
        name, value = each.key.removeprefix("artifacts."), each.value
        if name in wanted:
            kind = value.WhichOneof("value") or "string_value"
            given = getattr(value, kind)
            shown.append(f"{name} {given:.1f}" if isinstance(given, float) else f"{name} {given}")
    return ", ".join(shown)


if __name__ == "__main__":
    draw(record().spans, Path(sys.argv[1]))
