"""What every target of a download promises: one suite, run over each adapter."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from artifact_pipeline.domain.errors import TargetBusyError, TargetExistsError
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.ports.workspace import IPartialFile, ITarget

CONTENT = bytes(range(100))
RANGE = 30
PARTIAL = ".run_4_logs.log.part"
THERE = BucketObject(
    address=ObjectAddress("bucket", "jobs/12/run_4_logs.log"),
    size=len(CONTENT),
    version='"e"',
    modified_at=datetime.now(UTC),
)
OTHERS = {
    "bucket": replace(THERE, address=ObjectAddress("other", THERE.address.key)),
    "key": replace(THERE, address=ObjectAddress("bucket", "other")),
    "ETag": replace(THERE, version='"f"'),
    "size": replace(THERE, size=len(CONTENT) - 1),
}


@dataclass(frozen=True)
class Adapter:
    """A target, and a hand in what is behind it."""

    target: ITarget
    put: Callable[[bytes], object]
    """A file in its place."""
    again: Callable[[], ITarget]
    """The same place, as another process sees it."""

    @property
    def content(self) -> bytes | None:
        return b"".join(self.target.chunks()) if self.target.exists else None


def missing(partial: IPartialFile) -> list[int]:
    """Return which of the four ranges have no mark."""
    marks = partial.marks
    return [number for number in range(4) if number not in marks]


def fetch(partial: IPartialFile, *numbers: int, content: bytes = CONTENT) -> None:
    for number in numbers:
        at = number * RANGE
        chunk = content[at : at + RANGE]
        partial.write(at, chunk)
        partial.mark(number, sha256(chunk).digest())


def finish(target: ITarget, *, replaces: bool = False, content: bytes = CONTENT) -> None:
    with target.partial(THERE, RANGE) as partial:
        fetch(partial, *missing(partial), content=content)
        partial.finish(replace=replaces)


class TargetContract:
    def test_there_is_nothing_at_first(self, adapter: Adapter) -> None:
        assert not adapter.target.exists
        with adapter.target.partial(THERE, RANGE) as partial:
            assert missing(partial) == [0, 1, 2, 3]

    def test_the_file_appears_when_it_is_finished(self, adapter: Adapter) -> None:
        with adapter.target.partial(THERE, RANGE) as partial:
            fetch(partial, 3, 1, 0, 2)
            assert not adapter.target.exists
            partial.finish(replace=False)
        assert adapter.content == CONTENT

    def test_what_was_fetched_is_read_back(self, adapter: Adapter) -> None:
        with adapter.target.partial(THERE, RANGE) as partial:
            fetch(partial, 0, 1, 2, 3)
            assert b"".join(partial.chunks()) == CONTENT

    def test_a_range_may_come_in_pieces(self, adapter: Adapter) -> None:
        with adapter.target.partial(THERE, RANGE) as partial:
            for at in range(0, len(CONTENT), 7):
                partial.write(at, CONTENT[at : at + 7])
            assert b"".join(partial.chunks()) == CONTENT
            assert missing(partial) == [0, 1, 2, 3]

    def test_the_next_attempt_goes_on(self, adapter: Adapter) -> None:
        # Given
        with adapter.target.partial(THERE, RANGE) as partial:
            fetch(partial, 1, 3)
            partial.write(0, b"not all of it")
        # When
        with adapter.again().partial(THERE, RANGE) as partial:
            assert missing(partial) == [0, 2]
            fetch(partial, 0, 2)
            partial.finish(replace=False)
        # Then
        assert adapter.content == CONTENT

    def test_a_part_of_it_is_read_back(self, adapter: Adapter) -> None:
        with adapter.target.partial(THERE, RANGE) as partial:
            fetch(partial, 0, 1, 2, 3)
            assert b"".join(partial.chunks(RANGE, 2 * RANGE)) == CONTENT[RANGE : 2 * RANGE]

    def test_the_next_attempt_knows_what_was_written(self, adapter: Adapter) -> None:
        with adapter.target.partial(THERE, RANGE) as partial:
            fetch(partial, 1, 3)
        with adapter.again().partial(THERE, RANGE) as partial:
            assert partial.marks == {
                1: sha256(CONTENT[RANGE : 2 * RANGE]).digest(),
                3: sha256(CONTENT[3 * RANGE :]).digest(),
            }

    @pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
    def test_another_object_is_begun_anew(self, adapter: Adapter, other: BucketObject) -> None:
        with adapter.target.partial(THERE, RANGE) as partial:
            fetch(partial, 0, 1, 2, 3)
        with adapter.target.partial(other, RANGE) as partial:
            assert missing(partial) == [0, 1, 2, 3]

    @pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
    def test_one_knows_before_whether_another_object_is_begun_anew(
        self, adapter: Adapter, other: BucketObject
    ) -> None:
        # Given nothing
        assert not adapter.target.has_part_of_another(THERE, RANGE)
        # And then a part
        with adapter.target.partial(THERE, RANGE) as partial:
            fetch(partial, 0)
            assert adapter.again().has_part_of_another(other, RANGE)
        assert not adapter.target.has_part_of_another(THERE, RANGE)
        assert adapter.target.has_part_of_another(other, RANGE)
        assert adapter.target.has_part_of_another(THERE, RANGE + 1)
        # And then the file
        finish(adapter.target)
        assert not adapter.target.has_part_of_another(other, RANGE)

    def test_with_ranges_of_another_size_it_is_begun_anew(self, adapter: Adapter) -> None:
        with adapter.target.partial(THERE, RANGE) as partial:
            fetch(partial, 0, 1, 2, 3)
        with adapter.target.partial(THERE, RANGE + 1) as partial:
            assert missing(partial) == [0, 1, 2, 3]

    def test_an_empty_object_is_a_file_as_well(self, adapter: Adapter) -> None:
        with adapter.target.partial(replace(THERE, size=0), RANGE) as partial:
            assert partial.marks == {}
            assert b"".join(partial.chunks()) == b""
            partial.finish(replace=False)
        assert adapter.content == b""

    def test_a_file_that_is_there_is_kept(self, adapter: Adapter) -> None:
        # Given
        adapter.put(b"mine")
        # When
        with pytest.raises(TargetExistsError):
            finish(adapter.target)
        # Then, and what was fetched stays for when it is gone
        assert adapter.content == b"mine"
        with adapter.target.partial(THERE, RANGE) as partial:
            assert missing(partial) == []

    def test_a_file_that_is_there_is_replaced_if_that_is_wanted(self, adapter: Adapter) -> None:
        adapter.put(b"mine")
        finish(adapter.target, replaces=True)
        assert adapter.content == CONTENT

    def test_after_the_end_there_is_nothing_to_go_on_with(self, adapter: Adapter) -> None:
        finish(adapter.target)
        with adapter.target.partial(THERE, RANGE) as partial:
            assert missing(partial) == [0, 1, 2, 3]
        assert adapter.content == CONTENT

    def test_nobody_else_is_at_it_meanwhile(self, adapter: Adapter) -> None:
        with adapter.target.partial(THERE, RANGE) as partial:
            fetch(partial, 0)
            with pytest.raises(TargetBusyError), adapter.again().partial(THERE, RANGE):
                pytest.fail("two at once")
            with pytest.raises(TargetBusyError):
                adapter.again().discard()
        with adapter.again().partial(THERE, RANGE) as partial:
            assert missing(partial) == [1, 2, 3]

    def test_what_is_discarded_is_gone(self, adapter: Adapter) -> None:
        # Given
        with adapter.target.partial(THERE, RANGE) as partial:
            fetch(partial, 0)
            # When
            partial.discard()
        # Then
        with adapter.target.partial(THERE, RANGE) as partial:
            assert missing(partial) == [0, 1, 2, 3]
            fetch(partial, 0)
        # And from the outside as well, as often as one likes
        for _ in range(2):
            adapter.target.discard()
        with adapter.target.partial(THERE, RANGE) as partial:
            assert missing(partial) == [0, 1, 2, 3]

    def test_discarding_leaves_the_file_that_is_there(self, adapter: Adapter) -> None:
        adapter.target.discard()
        finish(adapter.target)
        adapter.target.discard()
        assert adapter.content == CONTENT
