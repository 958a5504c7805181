"""A database that has lost its artifacts, made again from the store."""

from dataclasses import replace

import pytest

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    InvalidRequestError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.rebuilt import RebuildFault
from artifact_pipeline.domain.model.tombstones import DeletionScope
from tests.domain.rebuilding import DIRECTORY, JOBS, MANIFEST, Lost, address, faults
from tests.domain.world import CONFIG, CONFIG_KEY, RESULTS


@pytest.fixture
def lost() -> Lost:
    return Lost()


def test_manifests_bring_all_of_it_back(lost: Lost) -> None:
    # Given a store that answers no look at an artifact
    lost.write_manifests()
    lost.world.reader.refused = {
        address(row.object.key): AccessDeniedError("HeadObject") for row in lost.before.values()
    }
    # When
    counts, left = lost.run()
    # Then
    assert (lost.rows, left) == (lost.before, [])
    assert counts["recorded"] == len(lost.before)
    assert counts["elsewhere"] == 0
    assert sorted(lost.touched) == [12, *JOBS]
    # And no manifest needs to be written for it
    assert lost.due == []


def test_looks_bring_back_what_no_manifest_names(lost: Lost) -> None:
    # When
    counts, left = lost.run()
    # Then the store says when each was stored
    assert left == []
    stored_at = lost.rows[CONFIG].recorded_at
    assert lost.rows == {
        artifact: replace(
            row,
            object=replace(row.object, checksum=None),
            stored_at=stored_at,
        )
        for artifact, row in lost.before.items()
    }
    assert counts["recorded"] == len(lost.before)
    assert lost.due == [12, *JOBS]


def test_one_that_was_replaced_after_the_manifest_is_looked_at(lost: Lost) -> None:
    # Given
    lost.write_manifests()
    lost.world.store.objects[CONFIG_KEY] = b"newer"
    # When
    lost.run()
    # Then
    assert lost.rows[CONFIG].object.size == len(b"newer")
    assert lost.rows[RESULTS] == lost.before[RESULTS]
    assert lost.due == [12]


def test_one_that_the_manifest_names_and_the_store_lacks(lost: Lost) -> None:
    # Given
    lost.write_manifests()
    del lost.world.store.objects[CONFIG_KEY]
    # When
    _, left = lost.run()
    # Then
    assert faults(left) == {CONFIG_KEY: RebuildFault.MISSING}
    assert left[0].error == f"{MANIFEST} names it, and the store does not have it"
    assert lost.rows.keys() == lost.before.keys() - {CONFIG}


def test_the_bytes_are_read_only_where_it_is_asked_for(lost: Lost) -> None:
    # Given an object whose SHA-256 the store does not say
    lost.world.reader.without_sha256 = {address(CONFIG_KEY)}
    # When
    _, left = lost.run()
    # Then
    assert faults(left) == {CONFIG_KEY: RebuildFault.NO_CHECKSUM}
    assert CONFIG not in lost.rows
    # And when its bytes may be read
    counts, left = lost.run(reads_bytes=True)
    assert (counts["recorded"], left) == (1, [])
    assert lost.rows[CONFIG].object.sha256 == lost.before[CONFIG].object.sha256


def test_what_the_store_refuses_does_not_stop_the_others(lost: Lost) -> None:
    # Given
    lost.world.reader.refused = {address(CONFIG_KEY): AccessDeniedError("HeadObject")}
    # When
    _, left = lost.run()
    # Then
    assert faults(left) == {CONFIG_KEY: RebuildFault.UNREADABLE}
    assert lost.rows.keys() == lost.before.keys() - {CONFIG}


@pytest.mark.parametrize("has_manifest", [True, False])
def test_jobs_that_the_platform_has_lost_too_are_recorded(lost: Lost, has_manifest: bool) -> None:  # noqa: FBT001 - a parameter
    # Given
    if has_manifest:
        lost.write_manifests()
    lost.world.jobs.rows.clear()
    # And a path of the old rule, which a client without metadata has put
    lost.world.put("jobs/12/2025/11/01/000000/job_config.json", b"old")
    # When
    counts, left = lost.run()
    # Then
    assert left == []
    keys = {artifact: row.object.key for artifact, row in lost.rows.items()}
    assert keys == {artifact: row.object.key for artifact, row in lost.before.items()}
    assert counts["unknown_jobs"] == len(JOBS) + 1
    assert counts["elsewhere"] == 1


def test_objects_of_no_known_directory_are_left(lost: Lost) -> None:
    # Given what no job of the platform, no manifest and no metadata tells of
    lost.world.put("jobs/999/2025/11/01/000000/job_config.json", b"old")
    lost.world.put("jobs/README", b"notes")
    # When
    counts, left = lost.run()
    # Then
    assert left == []
    assert lost.rows.keys() == lost.before.keys()
    assert counts["elsewhere"] == 2


def test_what_was_deleted_stays_so(lost: Lost) -> None:
    # Given tombstones of a config, and of an earlier job with the id of the other one
    lost.write_manifests()
    config = ArtifactKind.JOB_CONFIG
    scopes = [
        DeletionScope(job_id=12, directory=DIRECTORY, kind=config),
        DeletionScope(job_id=100, directory="jobs/100/2020/01/01/000000/"),
    ]
    lost.tombstones.lay(scopes, deleted_by="me", reason=None, all_versions=False)
    # When
    counts, left = lost.run()
    # Then
    assert left == []
    assert lost.rows.keys() == lost.before.keys() - {CONFIG}
    assert counts["deleted"] == 1


def test_a_database_with_artifacts_needs_to_be_merged(lost: Lost) -> None:
    # Given
    lost.write_manifests()
    known = replace(lost.before[CONFIG], object=replace(lost.before[CONFIG].object, size=1))
    lost.rows[CONFIG] = known
    # When
    with pytest.raises(InvalidRequestError, match="--merge"):
        lost.rebuild().check(merges=False)
    assert lost.rebuild().check(merges=True) == 0
    counts, _ = lost.run()
    # Then what it has stays as it is
    assert lost.rows == {**lost.before, CONFIG: known}
    assert (counts["already"], counts["recorded"]) == (1, len(lost.before) - 1)


def test_the_second_time_nothing_is_asked_of_the_store_but_a_list(lost: Lost) -> None:
    # Given
    lost.write_manifests()
    lost.run()
    lost.world.reader.reads.clear()
    lost.touched.clear()
    # When
    counts, left = lost.run()
    # Then
    assert (counts["recorded"], counts["already"], left) == (0, len(lost.before), [])
    assert (lost.world.reader.reads, lost.touched) == ([], [])


def test_a_dry_run_records_nothing(lost: Lost) -> None:
    counts, _ = lost.run(dry_run=True)
    assert (counts["recorded"], lost.rows, lost.touched) == (len(lost.before), {}, [])
    assert lost.records.position("bucket") == 0


def test_a_killed_rebuild_continues(lost: Lost, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given one that is killed after each of its pages
    monkeypatch.setattr("artifact_pipeline.domain.catalog.rebuild._PAGE", 1)
    lost.write_manifests()
    lost.world.put("jobs/README", b"notes")
    seen: list[int] = []
    # When
    while not seen or seen[-1]:
        assert lost.rebuild().check(merges=False) == (seen[-1] if seen else 0)
        pages = lost.rebuild()()
        next(pages)
        next(pages, None)  # it has noted the position, and is at the next page
        seen.append(lost.records.position("bucket"))
    # Then
    assert lost.rows == lost.before
    assert seen == [*JOBS, 12, 0]


def test_a_store_that_is_away_ends_it_where_it_was(
    lost: Lost, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr("artifact_pipeline.domain.catalog.rebuild._PAGE", 1)
    pages = lost.rebuild()()
    next(pages)
    next(pages)
    # When
    with monkeypatch.context() as away:
        away.setattr(InMemoryReader, "find", _away)
        with pytest.raises(StoreUnavailableError):
            next(pages)
    # Then
    assert len(lost.rows) == 2
    assert lost.rebuild().check(merges=False) == 101
    lost.run()
    assert lost.rows.keys() == lost.before.keys()


def _away(*_: object, **__: object) -> None:
    raise StoreUnavailableError("away")
