"""What each `IObjectVersions` promises: one suite, run over each adapter."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.ports.object_versions import IObjectVersions

PREFIX = "jobs/12/"


@dataclass(frozen=True)
class Adapter:
    """Versions, and a hand in what is behind them.

    Attributes:
        put: stores an object.
        keys: returns the keys that the store has now.
        keeps: whether the store keeps what is replaced or deleted.
    """

    versions: IObjectVersions
    bucket: str
    put: Callable[[str, bytes], object]
    keys: Callable[[], set[str]]
    keeps: bool = False

    def now(self, key: str) -> ObjectVersion:
        return ObjectVersion(address=ObjectAddress(self.bucket, key))


class ObjectVersionsContract:
    def test_all_below_the_prefix_is_listed(self, adapter: Adapter) -> None:
        # Given
        for key in ("jobs/12/a", "jobs/12/b", "jobs/120/a"):
            adapter.put(key, b"four")
        # When
        found = sorted(adapter.versions.all(PREFIX), key=lambda each: each.address.key)
        # Then
        assert [each.address.key for each in found] == ["jobs/12/a", "jobs/12/b"]
        assert [(each.size, each.is_marker) for each in found] == [(4, False)] * 2

    def test_what_is_deleted_is_gone(self, adapter: Adapter) -> None:
        # Given
        adapter.put("jobs/12/a", b"1")
        adapter.put("jobs/12/b", b"2")
        # When
        refused = adapter.versions.delete([adapter.now("jobs/12/a")])
        # Then
        assert refused == {}
        assert adapter.keys() == {"jobs/12/b"}

    def test_what_is_gone_already_is_no_error(self, adapter: Adapter) -> None:
        assert adapter.versions.delete([adapter.now("jobs/12/a")]) == {}
        assert adapter.versions.delete([]) == {}

    def test_every_version_can_be_deleted(self, adapter: Adapter) -> None:
        # Given
        adapter.put("jobs/12/a", b"1")
        adapter.put("jobs/12/a", b"22")
        adapter.versions.delete([adapter.now("jobs/12/a")])
        kept = list(adapter.versions.all(PREFIX))
        assert len(kept) == (3 if adapter.keeps else 0)  # two, and a delete marker
        # When
        assert adapter.versions.delete(kept) == {}
        # Then
        assert list(adapter.versions.all(PREFIX)) == []


class LegalHoldContract:
    """Of stores that have locks."""

    def test_what_is_on_hold_is_not_deleted_before_its_release(self, adapter: Adapter) -> None:
        # Given
        assert adapter.versions.has_lock()
        adapter.put("jobs/12/a", b"1")
        adapter.put("jobs/12/b", b"1")
        held, other = sorted(adapter.versions.all(PREFIX), key=lambda each: each.address.key)
        adapter.versions.set_legal_hold(held, on=True)
        # When
        refused = adapter.versions.delete([held, other])
        # Then
        assert refused == {held: "AccessDenied"}
        assert [*adapter.versions.all(PREFIX)] == [held]
        # When
        adapter.versions.set_legal_hold(held, on=False)
        assert adapter.versions.delete([held]) == {}
        # Then
        assert [*adapter.versions.all(PREFIX)] == []

    def test_sizes_and_markers_do_not_tell_versions_apart(self, adapter: Adapter) -> None:
        version = adapter.now("jobs/12/a")
        assert version == replace(version, size=3, is_marker=True)
        assert version != replace(version, version_id="1")
