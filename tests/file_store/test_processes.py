"""Several processes on one store, and one that is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.file_store.process import PART
from tests.file_store.steps import Shelf
from tests.s3.steps import KEY, Progress, put, random_bytes

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
CONTENT = random_bytes(10 * PART)


def started(shelf: Shelf, act: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.file_store.process", shelf.root.path, KEY, act],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_another_process_goes_on_where_a_killed_one_was(shelf: Shelf) -> None:
    # Given a process that was killed in the middle of an upload
    with started(shelf, "upload") as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(CONTENT[: 3 * PART])
        process.stdin.flush()
        upload_id = process.stdout.readline().decode().strip()
        process.stdin.write(CONTENT[3 * PART : 4 * PART])
        process.stdin.flush()
        process.kill()
        process.wait()
    assert shelf.body(KEY) is None
    assert [each.upload_id for each in shelf.store.open_uploads("jobs/")] == [upload_id]
    # When
    arrived = len(shelf.marks(upload_id))
    stored = put(shelf.with_parts(PART), CONTENT, Progress(upload_id))
    # Then
    assert arrived >= 1
    assert stored.bytes_sent == len(CONTENT) - arrived * PART
    assert shelf.body(KEY) == CONTENT
    assert list(shelf.store.open_uploads("")) == []


def test_what_a_living_process_is_at_is_not_touched(shelf: Shelf) -> None:
    # Given a process that has lost its lease and does not know it yet
    with started(shelf, "upload") as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(CONTENT[: 3 * PART])
        process.stdin.flush()
        upload_id = process.stdout.readline().decode().strip()
        # When another takes its transfer over
        progress = Progress(upload_id)
        put(shelf.with_parts(PART), CONTENT, progress)
        # Then it has an upload of its own, and the other one's changes nothing any more
        assert progress.upload_id != upload_id
        process.stdin.write(b"other bytes" * PART)
        process.stdin.close()
        assert process.wait() != 0
    assert shelf.body(KEY) == CONTENT


def test_of_several_writers_each_version_gives_way_to_one(shelf: Shelf) -> None:
    # Given
    writers = [started(shelf, "contend") for _ in range(2)]
    for writer in writers:
        assert writer.stdout
        writer.stdout.readline()
    # When
    for writer in writers:
        assert writer.stdin
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    answers = [writer.communicate()[0].decode().split("\n") for writer in writers]
    # Then the versions are a chain without a fork
    pairs = [line.split() for lines in answers for line in lines if line]
    replaced = [old for old, _ in pairs]
    assert len(set(replaced)) == len(replaced) >= 1
    last = {new for _, new in pairs} - set(replaced)
    assert last == {shelf.store.version(KEY)}
    assert list(shelf.store.open_uploads("")) == []
