"""A verdict for each artifact of a job, and for each object that is none."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.catalog.verdicts import Verdict, VerifiedArtifact
from artifact_pipeline.domain.catalog.verify import VerifyJob
from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    StoreUnavailableError,
    UnknownJobError,
)
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.checksums import Checksum
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.transfers import Direction
from tests.domain.world import CONFIG, CONFIG_KEY, JOB, LEASE, RESULTS, World

INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
OLD_KEY = "jobs/12/2025/11/01/093000/job_config.json"
ADDRESS = ObjectAddress("bucket", CONFIG_KEY)


@dataclass(slots=True)
class WatchedReader(InMemoryReader):
    """Counts requests, and lets something happen between two of them."""

    lists: list[str] = field(default_factory=list)
    heads: list[ObjectAddress] = field(default_factory=list)
    after_list: Callable[[], object] = lambda: None
    checksums: dict[ObjectAddress, Checksum] = field(default_factory=dict)

    def list(self, prefix: str, *, after: str = "") -> Iterator[BucketObject]:
        self.lists.append(prefix)
        found = [*InMemoryReader.list(self, prefix, after=after)]
        self.after_list()
        return iter(found)

    def find(self, address: ObjectAddress) -> BucketObject | None:
        self.heads.append(address)
        existing = InMemoryReader.find(self, address)
        said = self.checksums.get(address)
        return replace(existing, checksums=(said,)) if existing and said else existing


@pytest.fixture
def world() -> World:
    world = World()
    world.workspace.contents = {CONFIG: b"config", RESULTS: b"results"}
    world.reader = WatchedReader(world.store)
    return world


def reader_of(world: World) -> WatchedReader:
    assert isinstance(world.reader, WatchedReader)
    return world.reader


def verify(world: World, *, deep: bool = False) -> list[VerifiedArtifact]:
    look = VerifyJob(locate=world.locate, transfers=world.transfers, reads=world.reader.read)
    return look(12, deep=deep)


def verdicts(world: World, *, deep: bool = False) -> list[tuple[str, Verdict]]:
    return [
        (each.address.key.rpartition("/")[2], each.verdict) for each in verify(world, deep=deep)
    ]


def test_what_is_as_recorded_is_ok_for_one_list(world: World) -> None:
    # Given
    world.upload()
    world.upload(RESULTS, "b")
    reader_of(world).heads.clear()
    # When
    found = verdicts(world, deep=True)
    # Then
    assert found == [("job_config.json", Verdict.OK), ("run_4_results.zip", Verdict.OK)]
    assert reader_of(world).lists == ["jobs/12/"]
    assert len(reader_of(world).heads) == 2


def test_a_job_of_nothing_has_no_verdict(world: World) -> None:
    assert verdicts(world) == []


def test_an_unknown_job_is_refused(world: World) -> None:
    look = VerifyJob(locate=world.locate, transfers=world.transfers, reads=world.reader.read)
    with pytest.raises(UnknownJobError):
        look(99)


def test_a_lost_object_is_missing(world: World) -> None:
    world.upload()
    world.store.objects.clear()
    (lost,) = verify(world)
    assert (lost.verdict, lost.artifact, lost.address) == (Verdict.MISSING, CONFIG, ADDRESS)
    assert "not in the store" in str(lost.error)


@pytest.mark.parametrize(
    ("content", "said"), [(b"other", "5 bytes; recorded are 6"), (b"CONFIG", "its SHA-256 is")]
)
def test_an_object_that_was_written_over_is_changed(
    world: World, content: bytes, said: str
) -> None:
    world.upload()
    world.put(CONFIG_KEY, content)
    (changed,) = verify(world)
    assert changed.verdict is Verdict.CHANGED
    assert said in str(changed.error)


def test_another_version_counts_where_the_store_tells_no_checksum(world: World) -> None:
    world.upload()
    world.reader.without_sha256.add(world.put(CONFIG_KEY, b"CONFIG"))
    assert verdicts(world) == [("job_config.json", Verdict.CHANGED)]


def test_the_same_bytes_under_another_version_are_ok(world: World) -> None:
    # Given a bucket that was copied: the store has given its objects other versions
    world.upload()
    row = world.artifacts.rows[CONFIG]
    world.artifacts.write(replace(row, object=replace(row.object, version="of before")))
    # Then
    assert verdicts(world) == [("job_config.json", Verdict.OK)]


def test_the_checksum_of_the_store_is_compared(world: World) -> None:
    # Given an object whose version and size are as recorded
    world.upload()
    row = world.artifacts.rows[CONFIG]
    recorded = replace(row.object, checksum=Checksum("SHA256", "recorded"))
    world.artifacts.write(replace(row, object=recorded))
    # When
    reader_of(world).checksums[ADDRESS] = Checksum("SHA256", "other")
    (changed,) = verify(world)
    # Then
    assert (changed.verdict, changed.error) == (
        Verdict.CHANGED,
        "its SHA256 is other; recorded is recorded",
    )


def test_only_a_deep_look_reads_the_bytes(world: World) -> None:
    # Given bytes that differ from what the store says of them
    world.upload()
    look = VerifyJob(
        locate=world.locate,
        transfers=world.transfers,
        reads=lambda _there, _start, _stop: iter([b"rotten"]),
    )
    # When, Then
    assert [each.verdict for each in look(12)] == [Verdict.OK]
    (changed,) = look(12, deep=True)
    assert changed.verdict is Verdict.CHANGED
    assert "the SHA-256 of its bytes is" in str(changed.error)


def test_an_archived_object_is_read_by_no_deep_look(world: World) -> None:
    world.upload()
    world.reader.tier_names[ADDRESS] = "GLACIER"
    assert verdicts(world) == [("job_config.json", Verdict.OK)]
    assert verdicts(world, deep=True) == [("job_config.json", Verdict.UNREADABLE)]


def test_an_object_without_a_row_is_unrecorded(world: World) -> None:
    world.put(CONFIG_KEY, b"config")
    assert verdicts(world) == [("job_config.json", Verdict.UNRECORDED)]


def test_an_object_in_an_old_path_is_misplaced(world: World) -> None:
    world.put(OLD_KEY, b"config")
    (found,) = verify(world)
    assert (found.verdict, found.error) == (Verdict.MISPLACED, f"belongs at {CONFIG_KEY}")


def test_an_object_that_the_platform_keeps_elsewhere_is_misplaced(world: World) -> None:
    address = ObjectAddress("old", "configs/12.json")
    world.reader.elsewhere[address] = b"config"
    world.jobs.rows[12] = replace(JOB, config_location="https://old.s3.invalid/configs/12.json")
    (found,) = verify(world)
    assert (found.verdict, found.artifact, found.address) == (Verdict.MISPLACED, CONFIG, address)


def test_an_old_copy_of_what_is_ok_is_no_fault(world: World) -> None:
    world.upload()
    world.put(OLD_KEY, b"config")
    assert verdicts(world) == [("job_config.json", Verdict.OK)]


def test_an_old_copy_of_what_is_lost_is_shown(world: World) -> None:
    world.upload()
    world.store.objects.clear()
    world.put(OLD_KEY, b"config")
    assert sorted(verdict for _, verdict in verdicts(world)) == ["misplaced", "missing"]


def test_a_name_that_no_artifact_has_is_foreign(world: World) -> None:
    world.upload()
    world.put(CONFIG_KEY.replace("job_config.json", "notes.txt"), b"notes")
    assert verdicts(world) == [
        ("job_config.json", Verdict.OK),
        ("notes.txt", Verdict.FOREIGN),
    ]


def test_an_object_of_an_earlier_job_with_this_id_is_foreign(world: World) -> None:
    world.put("jobs/12/2024/01/01/000000/job_config.json", b"config")
    (found,) = verify(world)
    assert (found.verdict, found.artifact) == (Verdict.FOREIGN, CONFIG)


def test_an_object_that_cannot_be_looked_at_hides_no_other(world: World) -> None:
    world.upload()
    world.upload(RESULTS, "b")
    world.reader.refused[ADDRESS] = AccessDeniedError("denied")
    assert verdicts(world) == [
        ("job_config.json", Verdict.UNREADABLE),
        ("run_4_results.zip", Verdict.OK),
    ]


def test_a_store_that_is_away_ends_the_look(world: World) -> None:
    # Given more artifacts than may fail in a row
    for run_id in range(1, 8):
        key = CONFIG_KEY.replace("job_config.json", f"run_{run_id}_logs.log")
        world.reader.refused[world.put(key, b"logs")] = StoreUnavailableError("away")
    # When, Then
    with pytest.raises(StoreUnavailableError):
        verify(world)


def test_an_upload_that_ends_after_the_list_is_ok(world: World) -> None:
    reader_of(world).after_list = world.upload
    world.put(CONFIG_KEY.replace("job_config.json", "job_input.zip"), b"input")
    assert verdicts(world) == [("job_input.zip", Verdict.UNRECORDED)]


def test_an_object_that_gets_its_row_after_the_list_is_ok(world: World) -> None:
    # Given what an upload has written and not recorded yet
    world.put(CONFIG_KEY, b"config")
    world.store.metadata[CONFIG_KEY] = CONFIG.metadata
    # When it is recorded between the look at SQL and the look at the object
    reader_of(world).after_list = world.upload
    # Then
    assert verdicts(world) == [("job_config.json", Verdict.OK)]


def test_a_replacement_that_is_recorded_after_the_rows_were_read_is_ok(world: World) -> None:
    # Given
    world.upload()

    def replace_it() -> None:
        world.workspace.contents[CONFIG] = b"other config"
        world.upload(CONFIG, "b")

    # When
    reader_of(world).after_list = replace_it
    # Then
    assert verdicts(world) == [("job_config.json", Verdict.OK)]


@pytest.mark.parametrize("direction", [Direction.UPLOAD, Direction.CONFIRM, Direction.RELOCATE])
def test_what_an_active_transfer_has_written_is_pending(world: World, direction: Direction) -> None:
    # Given
    world.put(CONFIG_KEY, b"config")
    world.transfers.claim(CONFIG, direction, "a", owner="worker-2", lease=LEASE)
    # When, Then
    assert verdicts(world) == [("job_config.json", Verdict.PENDING)]


def test_a_replacement_under_way_is_pending_and_a_loss_stays_one(world: World) -> None:
    # Given
    world.upload()
    world.transfers.claim(CONFIG, Direction.UPLOAD, "b", owner="worker-2", lease=LEASE)
    # When, Then
    world.put(CONFIG_KEY, b"other config")
    assert verdicts(world) == [("job_config.json", Verdict.PENDING)]
    world.store.objects.clear()
    assert verdicts(world) == [("job_config.json", Verdict.MISSING)]


def test_a_download_settles_nothing(world: World) -> None:
    world.put(CONFIG_KEY, b"config")
    world.transfers.claim(CONFIG, Direction.DOWNLOAD, "a", owner="w", lease=timedelta(minutes=1))
    assert verdicts(world) == [("job_config.json", Verdict.UNRECORDED)]
