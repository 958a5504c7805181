"""What the tests start: `process.py DIRECTORY KEY upload` or `process.py DIRECTORY KEY contend`.

It imports no more than that takes: boto3 alone would double its time.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.preconditions import replacing
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.domain.transfers.bytes_upload import BytesSource
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.file_store.store import FileObjectStore

PART = 64 * 1024
ROUNDS = 20


class Stdin:
    """A source whose bytes the test writes to this process."""

    exact_size = None
    largest_size = 100 * PART
    links_left_out = 0

    def chunks(self) -> Iterator[bytes]:
        while chunk := sys.stdin.buffer.read(PART):
            yield chunk


class ToldProgress:
    """Tells the test the id of the upload."""

    upload_id: str | None = None

    def started(self, upload_id: str) -> None:
        self.upload_id = upload_id
        say(upload_id)

    def checkpoint(self) -> None:
        """Never lost."""


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def put(store: FileObjectStore, key: str, source: Source, replaces: str | None) -> StoredObject:
    return store.put(
        key,
        source,
        content_type="text/plain",
        metadata={},
        precondition=replacing(replaces),
        progress=ToldProgress(),
    )


def contend(store: FileObjectStore, key: str) -> None:
    """Replace whatever is there, again and again; print which version made way for which."""
    say("ready")
    sys.stdin.readline()
    for number in range(ROUNDS):
        replaces = store.version(key)
        try:
            stored = put(store, key, BytesSource(f"{os.getpid()} {number}".encode()), replaces)
        except ObjectReplacedError:
            continue
        say(f"{replaces} {stored.version}")


if __name__ == "__main__":
    directory, key, act = sys.argv[1:]
    store = FileObjectStore(root=StoreRoot(Path(directory)), part_size=PART, resumable_from=PART)
    if act == "upload":
        put(store, key, Stdin(), None)
    else:
        contend(store, key)
