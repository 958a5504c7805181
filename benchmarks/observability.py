"""The CPU time of JSON logs and of traces, for a small upload of a backlog.

python -m benchmarks.observability [ROUNDS] [UPLOADS]

The workers are real ones, and take turns: without both, with JSON logs, and with traces that they
send to a collector. In traces each upload is requested in a separate one.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from uuid import uuid4

from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.trace_context import trace_of_message
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.sql.transfers.requests import request_uploads
from benchmarks import draining
from benchmarks.deployment import Deployment, deployment
from benchmarks.figures import Unit

ROUNDS, UPLOADS = 5, 2_000
OFF, JSON_LOGS, TRACES = "off", "JSON logs", "traces"

Drain = Callable[[], float]


def measure(made: Deployment, rounds: int = ROUNDS, uploads: int = UPLOADS) -> dict[str, object]:
    """Return the CPU milliseconds of an upload, and the medians of the ratios within each round."""
    with _collector() as url:
        drains = _drains(made, uploads, url)
        for drain in drains.values():  # once, to warm up
            drain()
        measured = [{name: drain() for name, drain in drains.items()} for _ in range(rounds)]
    return {
        "rounds": rounds,
        "uploads": uploads,
        "worker_cpu_ms": {name: round(_median(measured, name), 3) for name in drains},
        "ratio_to_off": {
            name: round(statistics.median(each[name] / each[OFF] for each in measured), 3)
            for name in (JSON_LOGS, TRACES)
        },
    }


def _drains(made: Deployment, uploads: int, collector: str) -> dict[str, Drain]:
    ours = draining.ours(made)
    traced = replace(ours, ask=partial(_ask_in_traces, made))
    tracing = {"ARTIFACTS_TRACING": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector}
    variants: dict[str, tuple[draining.Contender, Mapping[str, str]]] = {
        OFF: (ours, {}),
        JSON_LOGS: (ours, {"ARTIFACTS_LOG_FORMAT": "json"}),
        TRACES: (traced, tracing),
    }
    return {
        name: partial(_cpu_milliseconds, made, contender, uploads, environment)
        for name, (contender, environment) in variants.items()
    }


def _cpu_milliseconds(
    made: Deployment, contender: draining.Contender, uploads: int, environment: Mapping[str, str]
) -> float:
    return draining.drained(made, contender, uploads, environment)[Unit.WORKER_CPU]


def _ask_in_traces(made: Deployment, job_ids: range) -> None:
    with Session(made.stack.engine) as session, session.begin():
        for job_id in job_ids:
            with trace_of_message({"traceparent": f"00-{uuid4().hex}-{uuid4().hex[:16]}-01"}):
                request_uploads(session, [(ArtifactKind.JOB_CONFIG, job_id, None)], app=made.app)


def _median(measured: list[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in measured)


@contextmanager
def _collector() -> Iterator[str]:
    # In this process it would count as the producer's.
    command = [sys.executable, "-m", "benchmarks.collector"]
    with lifeline.start(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()
        process.kill()


if __name__ == "__main__":
    with deployment() as servers:
        print(json.dumps(measure(servers, *map(int, sys.argv[1:])), indent=2))
