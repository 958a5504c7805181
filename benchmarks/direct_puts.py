"""CPU time of one small PUT, by boto3 and direct: how often each, and the ratio.

python -m benchmarks.direct_puts
"""

import base64
import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3

from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.s3 import direct_requests
from artifact_pipeline.worker.s3.client import make_client

_PUTS = 100
_ROUNDS = 7
_BODY = b"x" * 4096
_SERVE = "serve"


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("ETag", '"etag"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Say nothing."""


def measure_direct_puts() -> dict[str, Any]:
    """Return the CPU milliseconds of this process for a PUT, and the median of the ratios.

    Both ways take turns, so that the load of the machine is the same for both.
    """
    command = [sys.executable, "-m", "benchmarks.direct_puts", _SERVE]
    with lifeline.start(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        by_boto3, direct = _ways(url)
        rounds = [(_milliseconds(by_boto3), _milliseconds(direct)) for _ in range(_ROUNDS)]
        server.kill()
    return {
        "puts": _PUTS * _ROUNDS,
        "boto3_cpu_ms": round(statistics.median(one for one, _ in rounds), 3),
        "direct_cpu_ms": round(statistics.median(other for _, other in rounds), 3),
        "ratio": round(statistics.median(one / other for one, other in rounds), 2),
    }


def _ways(url: str) -> tuple[Callable[[], object], Callable[[], object]]:
    session = boto3.Session("benchmark", "benchmark-secret", region_name="us-east-1")
    client = make_client(url, 1, session)
    digest = hashlib.sha256(_BODY).digest()
    arguments: dict[str, Any] = {
        "Bucket": "artifacts",
        "Key": "jobs/12/2025/10/23/211500/job_config.json",
        "ContentType": "application/json",
        "Metadata": {"job_id": "12", "kind": "job_config", "sha256": digest.hex()},
        "ChecksumSHA256": base64.b64encode(digest).decode(),
        "IfNoneMatch": "*",
    }

    def direct() -> object:
        return direct_requests.send(
            client, "put_object", arguments, body=_BODY, length=len(_BODY), sha256=digest
        )

    direct()  # the first one goes through boto3
    return (lambda: client.put_object(**arguments, Body=_BODY)), direct


def _milliseconds(put: Callable[[], object]) -> float:
    started = time.process_time()
    for _ in range(_PUTS):
        put()
    return (time.process_time() - started) / _PUTS * 1000


def _serve() -> None:
    with HTTPServer(("127.0.0.1", 0), _Server) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:] == [_SERVE]:
        _serve()
    else:
        print(json.dumps(measure_direct_puts(), indent=2))
