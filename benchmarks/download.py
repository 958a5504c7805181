"""Peak memory of a process that downloads, and what it costs to go on after a kill.

python -m benchmarks.download
"""

import json
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.transfers.ranged_download import Fetch
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.workspace import Workspace
from benchmarks.processes import peak_mib

_MIB = 2**20
_RANGE = 8 * _MIB
_PART = 64 * _MIB
_THREADS = 4
_BUCKET, _KEY = "artifacts", "jobs/12/2025/10/23/211500/run_4_results.zip"
_RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
_NEVER = -1


def measure_download(size: int = 1024 * _MIB) -> dict[str, Any]:
    """The figures of an object of that size: whole, and killed once four fifths are there."""
    with (
        temporary_directory() as directory,
        Ministack(directory / "s3") as server,
    ):
        _prepare(_client(server.url), size)
        idle = _download(server.url, directory / "idle", stop_at=0)
        whole = _download(server.url, directory / "whole", stop_at=_NEVER)
        _download(server.url, directory / "killed", stop_at=size * 4 // 5)
        rest = _download(server.url, directory / "killed", stop_at=_NEVER)
    assert whole["bytes_fetched"] == size
    return {
        "size_mib": size // _MIB,
        "range_mib": _RANGE // _MIB,
        "threads": _THREADS,
        "peak_memory_mib": whole["peak_mib"],
        "of_which_before_the_first_byte_mib": idle["peak_mib"],
        "requests": whole["requests"],
        "mib_per_second": round(size / _MIB / whole["seconds"]),
        "after_a_kill_at_80_percent": {
            "mib_fetched": rest["bytes_fetched"] / _MIB,
            "of_the_size": round(rest["bytes_fetched"] / size, 4),
            "requests": rest["requests"],
        },
    }


def _prepare(client: S3Client, size: int) -> None:
    client.create_bucket(Bucket=_BUCKET)
    started = client.create_multipart_upload(Bucket=_BUCKET, Key=_KEY, ChecksumAlgorithm="SHA256")[
        "UploadId"
    ]
    parts: list[Any] = []
    for number in range(1, size // _PART + 1):
        answer = client.upload_part(
            Bucket=_BUCKET,
            Key=_KEY,
            UploadId=started,
            PartNumber=number,
            Body=random.Random(number).randbytes(_PART),
            ChecksumAlgorithm="SHA256",
        )
        checksum = answer["ChecksumSHA256"]
        parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum})
    client.complete_multipart_upload(
        Bucket=_BUCKET, Key=_KEY, UploadId=started, MultipartUpload={"Parts": parts}
    )


def _download(url: str, root: Path, stop_at: int) -> dict[str, Any]:
    """Download in a separate process, killed when it has so many bytes; return its report."""
    root.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.download", url, str(root), str(stop_at)]
    with lifeline.start(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said: dict[str, Any] = json.loads(process.stdout.readline())
        process.kill()
    return said


@dataclass
class _Child:
    client: S3Client
    root: Path
    stop_at: int
    requests: int = 0
    bytes_fetched: int = 0

    def run(self) -> None:
        reader = S3ObjectReader(client=self.client, bucket=_BUCKET)
        existing = reader.find(ObjectAddress(_BUCKET, _KEY))
        assert existing is not None
        started = time.monotonic()
        self.client.meta.events.register("before-send.s3.GetObject", self._count)
        self._stop_if_enough(started)
        self._fetch(reader, existing, started)
        self._say(started)

    def _fetch(self, reader: S3ObjectReader, existing: BucketObject, started: float) -> None:
        def progress(size: int) -> None:
            self.bytes_fetched += size
            self._stop_if_enough(started)

        Fetch(reader=reader, range_size=_RANGE, threads=_THREADS)(
            existing,
            Workspace(self.root).target(_RESULTS),
            replace=False,
            checkpoint=lambda: None,
            progress=progress,
        )

    def _count(self, **_: Any) -> None:
        self.requests += 1

    def _stop_if_enough(self, started: float) -> None:
        if 0 <= self.stop_at <= self.bytes_fetched:
            self._say(started)
            threading.Event().wait()  # and all other threads for this one

    def _say(self, started: float) -> None:
        said = {
            "requests": self.requests,
            "bytes_fetched": self.bytes_fetched,
            "peak_mib": peak_mib(),
            "seconds": time.monotonic() - started,
        }
        print(json.dumps(said), flush=True)


def _client(url: str) -> S3Client:
    session = boto3.Session("benchmark", "benchmark-secret", region_name="us-east-1")
    return make_client(url, _THREADS, session)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _Child(_client(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])).run()
    else:
        print(json.dumps(measure_download(), indent=2))
