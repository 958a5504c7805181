"""What the tests start: `process.py DIRECTORY upload` or `process.py DIRECTORY contend NAME`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from artifact_pipeline.domain.errors import ObjectReplacedError
from tests.file_store.steps import Shelf
from tests.s3.steps import KEY, Progress, put

PART = 64 * 1024
ROUNDS = 40


class Stdin:
    """A source whose bytes the test writes to this process."""

    exact_size = None
    largest_size = 100 * PART
    links_left_out = 0

    def chunks(self) -> Iterator[bytes]:
        while chunk := sys.stdin.buffer.read(PART):
            yield chunk


class ToldProgress(Progress):
    """Tells the test the id of the upload."""

    def started(self, upload_id: str) -> None:
        super().started(upload_id)
        say(upload_id)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def contend(shelf: Shelf, name: str) -> None:
    """Replace whatever is there, again and again; print which version made way for which."""
    say("ready")
    sys.stdin.readline()
    for number in range(ROUNDS):
        replaces = shelf.store.etag(KEY)
        try:
            stored = put(shelf.store, f"{name} {number}".encode(), replaces=replaces)
        except ObjectReplacedError:
            continue
        say(f"{replaces} {stored.etag}")


if __name__ == "__main__":
    shelf = Shelf.at(Path(sys.argv[1]))
    if sys.argv[2] == "upload":
        put(shelf.with_parts(PART), Stdin(), ToldProgress())
    else:
        contend(shelf, sys.argv[3])
