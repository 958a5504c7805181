"""What batches do on every adapter: their life, their members and their releases."""

import pytest

from artifact_pipeline.domain.errors import AccessDeniedError, InvalidRequestError, NotFoundError
from artifact_pipeline.domain.model.batch_states import PaceChange
from artifact_pipeline.domain.model.batches import BatchMode, BatchState, Outcome
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.contract.batch_world import WHO, BatchWorld, config_of, jobs_of
from tests.contract.transfer_steps import AT_ONCE, HOUR, published


def act(world: BatchWorld, action: str, batch_id: int) -> None:
    """Do something to a batch by the name of the method."""
    pace = [PaceChange()] if action == "change" else []
    getattr(world.batches, action)(batch_id, *pace)


class BatchStartContract:
    @pytest.mark.parametrize(
        ("mode", "jobs"),
        [(BatchMode.FAILED, [1, 2]), (BatchMode.MISSING, [2]), (BatchMode.ALL, [1, 2, 3])],
    )
    def test_the_members_of_its_mode_are_transferred(
        self, world: BatchWorld, mode: BatchMode, jobs: list[int]
    ) -> None:
        # Given one that failed though it is stored, one that was cancelled, and one that is done
        world.failed_configs(1)
        world.store(config_of(1), 10)
        world.job(2)
        world.transfers.request(config_of(2), Direction.UPLOAD, "before")
        world.transfers.cancel(2, None, None)
        world.job(3)
        world.finish(world.transfers.request(config_of(3), Direction.UPLOAD, "before"))
        world.store(config_of(3), 10)
        # When
        batch = world.started(mode)
        # Then
        assert (batch.state, batch.members) == (BatchState.RUNNING, len(jobs))
        assert jobs_of(world.batches.members(batch.id)) == jobs
        assert jobs_of(world.release(batch.id)) == jobs

    def test_a_member_is_transferred_in_the_workspace_of_its_last_transfer(
        self, world: BatchWorld
    ) -> None:
        # Given a cancelled upload of host A, and another of the default workspace
        for job_id, workspace in ((1, "host-a"), (2, None)):
            world.job(job_id)
            asked = (config_of(job_id), Direction.UPLOAD, "before")
            world.transfers.request(*asked, workspace=workspace)
            world.transfers.cancel(job_id, None, None)
        # When a batch transfers both again
        released = world.release(world.started().id)
        # Then
        assert [each.workspace for each in released] == ["host-a", None]

    def test_who_when_and_why_are_kept(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        batch = world.started(reason="  the share is back ", rate=2.5, max_in_flight=3)
        assert (batch.reason, batch.requested_by) == ("the share is back", WHO)
        assert (batch.rate, batch.max_in_flight, batch.mode) == (2.5, 3, BatchMode.ALL)
        assert batch.started_at is not None
        assert world.batches.newest(1) == [batch]

    @pytest.mark.parametrize("reason", ["", "  ", "\n"])
    def test_a_reason_is_needed(self, world: BatchWorld, reason: str) -> None:
        world.failed_configs(1)
        with pytest.raises(InvalidRequestError, match="the reason is empty: say why"):
            world.started(reason=reason)

    def test_a_snapshot_starts_once(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        batch = world.started()
        with pytest.raises(InvalidRequestError, match="it is running, so it cannot be started"):
            world.start(batch.id)

    def test_an_expired_snapshot_is_refused(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        snapshot = world.freeze(expires_in=AT_ONCE)
        with pytest.raises(InvalidRequestError, match="expired"):
            world.start(snapshot)

    def test_a_mode_without_members_is_refused(self, world: BatchWorld) -> None:
        world.job(5)
        world.finish(world.transfers.request(config_of(5), Direction.UPLOAD, "before"))
        with pytest.raises(
            InvalidRequestError, match="no member can be started with the mode failed"
        ):
            world.start(world.freeze(), BatchMode.FAILED)

    def test_an_unknown_snapshot_is_refused(self, world: BatchWorld) -> None:
        with pytest.raises(NotFoundError, match="there is no batch 99"):
            world.start(99)


class BatchStateContract:
    def test_a_paused_one_goes_on_when_it_is_resumed(self, world: BatchWorld) -> None:
        world.failed_configs(1, 2)
        batch = world.started()
        assert world.batches.pause(batch.id).state is BatchState.PAUSED
        assert world.releases.running() == []
        assert world.release(batch.id) == []
        assert world.batches.resume(batch.id).state is BatchState.RUNNING
        assert jobs_of(world.release(batch.id)) == [1, 2]

    @pytest.mark.parametrize(
        ("before", "attempt", "said"),
        [
            ([], "resume", "is running"),
            (["pause"], "pause", "is paused"),
            (["cancel"], "resume", "is cancelled"),
            (["cancel"], "pause", "is cancelled"),
            (["cancel"], "cancel", "is cancelled"),
            (["cancel"], "change", "is cancelled"),
        ],
    )
    def test_an_action_that_is_not_possible_is_refused(
        self, world: BatchWorld, before: list[str], attempt: str, said: str
    ) -> None:
        world.failed_configs(1)
        batch = world.started()
        for action in before:
            act(world, action, batch.id)
        with pytest.raises(InvalidRequestError, match=f"^batch {batch.id} {said}: to {attempt} it"):
            act(world, attempt, batch.id)

    def test_another_pace(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        batch = world.started(rate=1.0)
        assert world.batches.change(batch.id, PaceChange(rate=0, max_in_flight=5)).rate is None
        assert world.batches.get(batch.id).max_in_flight == 5

    def test_a_snapshot_has_no_pace_to_change(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        with pytest.raises(InvalidRequestError, match="is previewed"):
            world.batches.change(world.freeze(), PaceChange(rate=1))

    def test_a_cancelled_snapshot_cannot_be_started(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        snapshot = world.freeze()
        assert world.batches.cancel(snapshot) == 0
        with pytest.raises(InvalidRequestError, match="it is cancelled"):
            world.start(snapshot)

    @pytest.mark.parametrize("attempt", ["pause", "resume", "cancel", "progress", "get"])
    def test_an_unknown_one_is_refused(self, world: BatchWorld, attempt: str) -> None:
        with pytest.raises(NotFoundError, match="there is no batch 99"):
            act(world, attempt, 99)

    def test_cancelling_stops_what_is_active_and_begins_no_more(self, world: BatchWorld) -> None:
        # Given a batch of which one member is done, and two are under way
        world.failed_configs(1, 2, 3, 4)
        batch = world.started()
        world.finish(world.release(batch.id, limit=3)[0])
        # When
        assert world.batches.cancel(batch.id) == 2
        # Then
        assert world.release(batch.id) == []
        assert world.batches.get(batch.id).finished_at is not None
        outcomes = [member.outcome for member in world.batches.members(batch.id)]
        assert outcomes == [Outcome.DONE, *[Outcome.CANCELLED] * 3]
        assert world.batches.progress(batch.id).outcomes == {Outcome.DONE: 1, Outcome.CANCELLED: 3}


class BatchReleaseContract:
    def test_members_have_their_turn_in_order_and_once(self, world: BatchWorld) -> None:
        world.failed_configs(*range(1, 8))
        batch = world.started()
        assert world.releases.running() == [[batch.id]]
        pages = [jobs_of(world.release(batch.id, limit=3)) for _ in range(4)]
        assert pages == [[1, 2, 3], [4, 5, 6], [7], []]

    def test_a_transfer_names_its_batch(self, world: BatchWorld) -> None:
        world.failed_configs(1, 2)
        batch = world.started(is_forced=True)
        first, second = world.release(batch.id)
        assert (first.batch_id, first.is_forced, first.requested_by) == (batch.id, True, WHO)
        assert (first.state, first.enqueued_at) == (TransferState.REQUESTED, None)
        assert second.request_id == f"batch-{batch.id}-2"

    def test_it_is_done_once_all_members_have_ended(self, world: BatchWorld) -> None:
        world.failed_configs(1, 2)
        batch = world.started()
        released = world.release(batch.id)
        world.release(batch.id)
        assert world.batches.get(batch.id).state is BatchState.RUNNING
        for transfer in released:
            world.finish(transfer)
        world.release(batch.id)
        done = world.batches.get(batch.id)
        assert done.state is BatchState.DONE
        assert done.finished_at is not None
        assert world.releases.running() == []

    def test_what_is_being_transferred_is_passed_over(self, world: BatchWorld) -> None:
        world.failed_configs(1, 2, 3)
        batch = world.started()
        world.transfers.request(config_of(2), Direction.UPLOAD, "somebody's")
        assert jobs_of(world.release(batch.id)) == [1, 3]
        outcomes = world.batches.progress(batch.id).outcomes
        assert outcomes == {Outcome.ACTIVE: 2, Outcome.ALREADY_RUNNING: 1}

    def test_no_more_are_in_flight_than_allowed(self, world: BatchWorld) -> None:
        world.failed_configs(1, 2, 3)
        batch = world.started(max_in_flight=2)
        first, _second = world.release(batch.id)
        assert world.release(batch.id) == []
        world.finish(first)
        assert jobs_of(world.release(batch.id)) == [3]

    def test_a_slow_rate_releases_nothing_at_once(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        batch = world.started(rate=0.000001)
        assert world.release(batch.id) == []
        world.batches.change(batch.id, PaceChange(rate=0))
        assert jobs_of(world.release(batch.id)) == [1]

    def test_a_message_that_was_sent_is_not_sent_again(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        released = world.release(world.started().id)
        world.releases.sent(released)
        assert published(world.transfers, unclaimed_after=HOUR) == []


class BatchProgressContract:
    def test_each_outcome_is_counted_and_shown(self, world: BatchWorld) -> None:
        # Given
        world.failed_configs(*range(1, 7))
        batch = world.started()
        done, unchanged, failed, _active = world.release(batch.id, limit=4)
        world.finish(done, 100)
        world.finish(unchanged, 0)
        world.fail(failed, AccessDeniedError())
        # When
        progress = world.batches.progress(batch.id)
        members = list(world.batches.members(batch.id))
        # Then
        assert progress.outcomes == {
            Outcome.DONE: 1,
            Outcome.UNCHANGED: 1,
            Outcome.FAILED: 1,
            Outcome.ACTIVE: 1,
            Outcome.PENDING: 2,
        }
        assert (progress.ended, progress.bytes_moved) == (3, 100)
        assert progress.as_of is not None
        assert jobs_of(members) == list(range(1, 7))
        assert (members[0].outcome, members[0].bytes_moved) == (Outcome.DONE, 100)
        assert (members[2].reason, members[2].attempts) == (ReasonCode.ACCESS_DENIED, 1)

    def test_a_snapshot_has_none(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        assert world.batches.progress(world.freeze()).outcomes == {}

    def test_the_newest_come_first(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        first, second = world.freeze(), world.started().id
        assert [batch.id for batch in world.batches.newest(5)] == [second, first]
        assert [batch.id for batch in world.batches.newest(5, before=second)] == [first]
        world.snapshots.delete(first)
        assert [batch.id for batch in world.batches.newest(5)] == [second]

    def test_kinds_stay_apart(self, world: BatchWorld) -> None:
        world.failed_configs(1)
        snapshot = world.freeze(kinds=[ArtifactKind.RUN_LOGS])
        assert world.snapshots.preview(snapshot).members == 0
