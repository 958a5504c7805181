"""A download as a process of its own, which stands still once a part of it is there.

python -m tests.integration.download_process URL BUCKET KEY ROOT BYTES
"""

import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.transfers.ranged_download import Fetch
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.workspace import Workspace
from tests.buckets import client_of

RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
RANGE = 2**18
THREADS = 4


@dataclass
class Standstill:
    at: int
    fetched: int = 0

    def progress(self, size: int) -> None:
        self.fetched += size
        if self.fetched >= self.at:
            sys.stdout.write("still\n")
            sys.stdout.flush()
            threading.Event().wait()  # and all other threads for this one


def main() -> None:
    url, bucket, key, root, size = sys.argv[1:]
    reader = S3ObjectReader(client=client_of(url), bucket=bucket)
    source = reader.find(ObjectAddress(bucket, key))
    assert source is not None
    Fetch(reader=reader, range_size=RANGE, threads=THREADS)(
        source,
        Workspace(Path(root)).target(RESULTS),
        replace=False,
        checkpoint=lambda: None,
        progress=Standstill(int(size)).progress,
    )


if __name__ == "__main__":
    main()
