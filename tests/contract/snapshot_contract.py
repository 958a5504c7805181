"""What a snapshot freezes on every adapter."""

from datetime import timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.errors import ArtifactMissingError, NotFoundError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import BatchMode, Listed, SkipReason
from artifact_pipeline.domain.model.kinds import JOB_KINDS, RUN_KINDS, ArtifactKind
from artifact_pipeline.domain.model.selection import IdRange
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.contract.batch_world import CREATED_AT, BatchWorld, config_of, jobs_of

DAY = timedelta(days=1)
CONFIGS = [ArtifactKind.JOB_CONFIG]
CONFIG = config_of(1)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 1, 10)
MIB = 2**20


def members_of(world: BatchWorld, *lines: Listed, **which: Any) -> list[int]:
    """Return the jobs of what is frozen."""
    snapshot = world.freeze(lines or None, **which)
    return jobs_of(world.batches.members(snapshot))


class SnapshotFilterContract:
    @pytest.fixture(autouse=True)
    def _jobs(self, world: BatchWorld) -> None:
        world.job(1, [10], tags=["urgent"], created_at=CREATED_AT - DAY)
        world.job(2, [20], tags={"team": "blue"})
        world.job(3, user_id=8, created_at=CREATED_AT + DAY)
        for job_id in (1, 2, 3):
            world.give_up(config_of(job_id))
        world.give_up(Artifact(ArtifactKind.RUN_LOGS, 2, 20), ArtifactMissingError())

    @pytest.mark.parametrize(
        ("which", "jobs"),
        [
            ({}, [1, 2, 2, 3]),
            ({"kinds": CONFIGS}, [1, 2, 3]),
            ({"job_ids": [IdRange(first=2, last=9)], "kinds": CONFIGS}, [2, 3]),
            ({"run_ids": [IdRange(first=20, last=21)]}, [2]),
            ({"user_ids": [8]}, [3]),
            ({"tags": ["urgent"]}, [1]),
            ({"tags": ["team=blue"], "kinds": CONFIGS}, [2]),
            ({"created_after": CREATED_AT, "kinds": CONFIGS}, [2, 3]),
            ({"created_before": CREATED_AT}, [1]),
            ({"reasons": [ReasonCode.ARTIFACT_MISSING]}, [2]),
            ({"states": [TransferState.QUARANTINED]}, [1, 2, 2, 3]),
            ({"states": [TransferState.DONE]}, []),
            ({"directions": [Direction.DOWNLOAD]}, []),
            ({"failed_after": CREATED_AT}, [1, 2, 2, 3]),
            ({"failed_before": CREATED_AT}, []),
            ({"older_than": timedelta(0)}, [1, 2, 2, 3]),
            ({"older_than": DAY}, []),
            ({"newer_than": DAY, "kinds": CONFIGS}, [1, 2, 3]),
        ],
    )
    def test_only_what_fits_every_criterion_is_a_member(
        self, world: BatchWorld, which: dict[str, Any], jobs: list[int]
    ) -> None:
        assert sorted(members_of(world, **which)) == jobs

    def test_only_the_last_transfer_counts(self, world: BatchWorld) -> None:
        again = world.transfers.request(config_of(1), Direction.UPLOAD, "again")
        world.finish(again)
        given_up = {"states": [TransferState.QUARANTINED], "kinds": CONFIGS}
        assert members_of(world, **given_up) == [2, 3]

    def test_lines_of_a_file_name_the_members(self, world: BatchWorld) -> None:
        # Given a line of a job, one of an artifact that was never requested, and one of nothing
        lines = [Listed(1), Listed(2, 20, ArtifactKind.RUN_CONFIG), Listed(9)]
        # When
        preview = world.snapshots.preview(world.freeze(lines))
        # Then
        assert jobs_of(preview.examples) == [1, 2]
        assert (preview.batch.filter.listed, preview.batch.filter.unmatched) == (3, 1)


class SnapshotContract:
    def test_what_was_never_requested(self, world: BatchWorld) -> None:
        # Given a job with two runs, of which one artifact was requested, and one is stored
        world.job(1, [10, 11])
        world.transfers.request(config_of(1), Direction.UPLOAD, "before")
        world.store(Artifact(ArtifactKind.JOB_INPUT, 1), 10)
        # When
        members = members_of(world, never_requested=True)
        stored_too = members_of(world, never_requested=True, include_stored=True)
        # Then
        assert len(members) == len(JOB_KINDS) - 2 + 2 * len(RUN_KINDS)
        assert len(stored_too) == len(members) + 1

    def test_what_is_active_or_has_no_source_is_left_out(self, world: BatchWorld) -> None:
        # Given
        world.failed_configs(1, 2)
        world.job(3)
        world.transfers.request(config_of(3), Direction.UPLOAD, "now")
        world.job(4)
        world.give_up(config_of(4), ArtifactMissingError(), Direction.DOWNLOAD)
        # When
        preview = world.snapshots.preview(
            world.freeze(has_source=lambda artifact: artifact.job_id != 2)
        )
        # Then
        assert jobs_of(preview.examples) == [1]
        assert preview.left_out == {SkipReason.RUNNING: 1, SkipReason.NO_SOURCE: 2}

    def test_users_take_turns(self, world: BatchWorld) -> None:
        world.failed_configs(1, 2, 3)
        world.failed_configs(4, user_id=8)
        assert members_of(world) == [1, 4, 2, 3]

    def test_groups_tell_what_is_known(self, world: BatchWorld) -> None:
        # Given one that is not stored, a small one and one of three parts
        world.failed_configs(1, 2, 3)
        world.store(config_of(2), 10)
        world.store(config_of(3), 33 * 2**20)
        # When
        preview = world.snapshots.preview(world.freeze())
        # Then
        (group,) = preview.groups
        assert (group.direction, group.kind) == (Direction.UPLOAD, ArtifactKind.JOB_CONFIG)
        assert (group.state, group.members, group.stored) == (TransferState.QUARANTINED, 3, 2)
        assert group.known_bytes == 10 + 33 * 2**20
        assert (group.requests_at_least, group.requests_at_most) == (3, 1 + 1 + 5)
        assert preview.of_mode(BatchMode.MISSING) == 1

    @pytest.mark.parametrize(
        ("artifact", "size", "to_upload", "to_download"),
        [
            (CONFIG, 16 * MIB - 1, 1, 1),
            (CONFIG, 16 * MIB, 1 + 2, 1),
            (CONFIG, 16 * MIB + 1, 2 + 2, 2),
            (RESULTS, 16 * MIB - 1, 1, 4),
            (RESULTS, 16 * MIB, 4 + 2, 4),
            (RESULTS, 41 * 10**6, 8 + 2, 8),
        ],
    )
    def test_requests_are_at_most_those_of_the_smallest_parts(
        self, world: BatchWorld, artifact: Artifact, size: int, to_upload: int, to_download: int
    ) -> None:
        # Given
        world.job(1, [10])
        for direction in (Direction.DOWNLOAD, Direction.UPLOAD):
            world.give_up(artifact, direction=direction)
        world.store(artifact, size)
        # When
        preview = world.snapshots.preview(world.freeze())
        # Then
        assert [(group.direction, group.requests_at_most) for group in preview.groups] == [
            (Direction.DOWNLOAD, to_download),
            (Direction.UPLOAD, to_upload),
        ]

    def test_later_transfers_change_nothing(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        snapshot = world.freeze()
        world.failed_configs(2)
        assert jobs_of(world.batches.members(snapshot)) == [1]

    def test_an_unknown_snapshot_is_refused(self, world: BatchWorld) -> None:
        with pytest.raises(NotFoundError, match="there is no batch 99"):
            world.snapshots.preview(99)
