"""What every object store promises: one suite, run over each adapter."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import pytest

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.ports.object_store import IObjectStore
from tests.s3.steps import CONTENT_TYPE, KEY, METADATA, MIB, Progress, put, random_bytes

SMALL = random_bytes(1000)
LARGE = random_bytes(12 * MIB + 1)
"""Three parts where there are parts: S3 takes none below 5 MiB but the last."""
either_size = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])


@dataclass(frozen=True)
class Adapter:
    """A store, and a look into what is behind it."""

    store: IObjectStore
    body: Callable[[str], bytes | None]
    described: Callable[[str], tuple[str, dict[str, str]]]
    replace: Callable[[str, bytes], object]
    delete: Callable[[str], object]


class ObjectStoreContract:
    @either_size
    def test_the_bytes_arrive(self, adapter: Adapter, content: bytes) -> None:
        put(adapter.store, content)
        assert adapter.body(KEY) == content

    @either_size
    def test_the_answer_describes_what_is_stored(self, adapter: Adapter, content: bytes) -> None:
        stored = put(adapter.store, content)
        assert (stored.key, stored.size, stored.bytes_sent) == (KEY, len(content), len(content))
        assert stored.sha256 == sha256(content).hexdigest()
        assert stored.version
        assert stored.checksum

    @either_size
    def test_the_object_says_what_it_is(self, adapter: Adapter, content: bytes) -> None:
        put(adapter.store, content)
        content_type, metadata = adapter.described(KEY)
        assert content_type == CONTENT_TYPE
        assert metadata.items() >= METADATA.items()

    @either_size
    def test_a_second_put_replaces_the_first(self, adapter: Adapter, content: bytes) -> None:
        first = put(adapter.store, content)
        again = put(adapter.store, content[::-1], replaces=first.version)
        assert adapter.body(KEY) == content[::-1]
        assert (adapter.store.holds(first), adapter.store.holds(again)) == (False, True)

    @either_size
    def test_it_holds_what_it_stored(self, adapter: Adapter, content: bytes) -> None:
        assert adapter.store.holds(put(adapter.store, content))

    def test_it_does_not_hold_what_was_deleted(self, adapter: Adapter) -> None:
        stored = put(adapter.store, SMALL)
        adapter.delete(KEY)
        assert not adapter.store.holds(stored)

    def test_it_does_not_hold_what_was_replaced_by_as_many_bytes(self, adapter: Adapter) -> None:
        stored = put(adapter.store, SMALL)
        adapter.replace(KEY, SMALL[::-1])
        assert not adapter.store.holds(stored)

    @either_size
    def test_a_lost_lease_stores_nothing(self, adapter: Adapter, content: bytes) -> None:
        with pytest.raises(LeaseLostError):
            put(adapter.store, content, Progress(lost_at=1))
        assert adapter.body(KEY) is None

    def test_a_location_ends_with_its_key_and_carries_no_signature(self, adapter: Adapter) -> None:
        location = adapter.store.location(KEY)
        assert location.url.endswith(f"/{KEY}")
        assert location.url == location.sanitized
