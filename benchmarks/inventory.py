"""Reading an S3 Inventory of a million keys that are not sorted.

`python -m benchmarks.inventory` prints the CPU time and the memory that `artifacts audit
--inventory` needs to read the files and to sort them.
"""

import argparse
import csv
import gzip
import hashlib
import json
import random
import sys
import time
from pathlib import Path

from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.s3.inventory import Inventory

BUCKET = "benchmark"
_FILES = 4
_OF_JOB = 10


def write(directory: Path, keys: int) -> Path:
    """Write the files and their manifest. Return its path."""
    jobs = range(1, keys // _OF_JOB + 1)
    names = [f"jobs/{job}/2025/10/23/211500/{n}" for job in jobs for n in range(_OF_JOB)]
    random.Random(1).shuffle(names)
    files = []
    for number in range(_FILES):
        path = directory / f"{number}.csv.gz"
        with gzip.open(path, "wt", newline="") as file:
            rows = ([BUCKET, name, 100, "0" * 32] for name in names[number::_FILES])
            csv.writer(file).writerows(rows)
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        files.append({"key": f"data/{path.name}", "MD5checksum": digest})
    manifest = {
        "sourceBucket": BUCKET,
        "creationTimestamp": "1767225600000",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, ETag",
        "files": files,
    }
    path = directory / "manifest.json"
    path.write_text(json.dumps(manifest))
    return path


def read(manifest: Path) -> None:
    """Read all objects in the order of their keys. Prints what that took."""
    count, last = 0, ""
    for each in Inventory(manifest, BUCKET)(""):
        assert last < each.address.key
        count, last = count + 1, each.address.key
    # Not getrusage: that remembers the parent's peak.
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    print(f"{count:,} keys: {time.process_time():.1f} s of CPU, {peak:.0f} MiB at the peak")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inventory", description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    with lifeline.temporary_directory() as directory:
        manifest = write(directory, options.keys)
        lifeline.run([sys.executable, "-m", "benchmarks.inventory", "--read", str(manifest)])


if __name__ == "__main__":
    main()
