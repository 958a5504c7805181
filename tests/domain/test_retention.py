"""The retention rules are applied by the steps of the commands, and never to what has changed."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from artifact_pipeline.domain.catalog.audited import audited
from artifact_pipeline.domain.catalog.delete_job import DeleteArtifacts
from artifact_pipeline.domain.errors import AccessDeniedError, StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryDueArtifacts
from artifact_pipeline.domain.maintenance import retention
from artifact_pipeline.domain.maintenance.retention import preview
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.operator_actions import NewAction
from artifact_pipeline.domain.model.retention import RetentionPage
from artifact_pipeline.domain.model.retention_results import RetentionResult
from artifact_pipeline.domain.model.transfers import Direction
from tests.domain.retaining import ARCHIVE, DELETE, OTHER, OTHER_KEY, RESULTS_KEY, Retaining, days
from tests.domain.world import CONFIG, CONFIG_KEY, RESULTS

DELETING = {"delete_after": days(300)}
ARCHIVING = {"archive_after": days(300), "tier_name": "GLACIER"}


@pytest.fixture
def retain() -> Retaining:
    return Retaining()


class TestEverything:
    def test_without_rules_nothing_is_done(self, retain: Retaining) -> None:
        assert retain() == RetentionResult()
        assert retain.keys == {CONFIG_KEY, RESULTS_KEY, OTHER_KEY}

    def test_what_is_old_enough_is_deleted_with_a_tombstone(self, retain: Retaining) -> None:
        # Given
        retain.rule(kinds=(RESULTS.kind, OTHER.kind), delete_after=days(300))
        # When
        result = retain("the contract ended")
        # Then
        assert retain.keys == {CONFIG_KEY}
        assert result.artifacts == {(DELETE, RESULTS.kind): 1, (DELETE, OTHER.kind): 1}
        assert result.sizes == {(DELETE, RESULTS.kind): 7, (DELETE, OTHER.kind): 4}
        [tombstone] = retain.tombstones.of_job(12)
        assert (tombstone.run_id, tombstone.kind) == (4, RESULTS.kind)
        assert (tombstone.deleted_by, tombstone.reason) == ("bob", "the contract ended")
        assert {*retain.world.artifacts.rows} == {CONFIG}

    def test_what_is_old_enough_is_archived_in_its_row_too(self, retain: Retaining) -> None:
        # Given
        retain.rule(kinds=(RESULTS.kind,), archive_after=days(300), tier_name="GLACIER")
        before = retain.world.artifacts.rows[RESULTS]
        # When
        result = retain()
        # Then
        after = retain.world.artifacts.rows[RESULTS]
        assert result.artifacts == {(ARCHIVE, RESULTS.kind): 1}
        assert (after.object.tier_name, after.stored_at) == ("GLACIER", before.stored_at)
        assert retain.tombstones.rows == {}

    def test_the_life_of_an_artifact(self, retain: Retaining) -> None:
        # Given
        retain.rule(archive_after=days(300), tier_name="GLACIER", delete_after=days(400))
        # When, Then
        assert str(retain()) == "3 archived, 0 deleted"
        assert str(retain()) == "0 archived, 0 deleted"
        retain.world.clock.advance(days(40))
        assert str(retain()) == "0 archived, 3 deleted"
        assert retain.keys == set()

    def test_it_is_in_the_audit_trail_of_each_job(self, retain: Retaining) -> None:
        # Given
        retain.rule(delete_after=days(300))
        # When
        retain()
        # Then
        [action] = retain.trail.of_job(13)
        assert (action.outcome, action.result) == ("done", "0 archived, 3 deleted")
        assert retain.trail.of_job(12) == [action]
        assert retain.tombstones.of_job(13)[0].reason == "retention rules: old"

    def test_a_rule_that_is_removed_in_the_meantime_deletes_no_more(
        self, retain: Retaining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given pages of one, and a rule that goes after the first
        retain.rule(delete_after=days(300))
        monkeypatch.setattr(retention, "PAGE", 1)
        retain.versions.before = partial(retain.rules.remove, "old")
        # When
        result = retain()
        # Then
        assert result.total(DELETE) == 1
        assert len(retain.keys) == 2


class TestLeft:
    def test_a_job_on_hold_is_left(self, retain: Retaining) -> None:
        retain.rule(delete_after=days(300))
        retain.holds.set(12, "ann", "case 7")
        assert str(retain()) == "0 archived, 1 deleted"
        assert retain.keys == {CONFIG_KEY, RESULTS_KEY}

    @pytest.mark.parametrize("ages", [DELETING, ARCHIVING], ids=["delete", "archive"])
    def test_a_hold_that_is_set_meanwhile_is_a_refusal(
        self, retain: Retaining, monkeypatch: pytest.MonkeyPatch, ages: dict[str, Any]
    ) -> None:
        # Given a hold after the artifacts were found due
        retain.rule(**ages, kinds=(CONFIG.kind,))
        page = retain.due.page
        late = partial(_after, page, lambda: retain.holds.set(12, "ann", "case 7"))
        monkeypatch.setattr(InMemoryDueArtifacts, "page", lambda _self, *a, **n: late(*a, **n))
        # When
        result = retain()
        # Then
        [refusal] = result.refusals
        assert (refusal.artifact, result.refused) == (CONFIG, 1)
        assert refusal.error.startswith("legal_hold: job 12 is on legal hold")
        assert retain.actions[-1].outcome == "partial"
        assert CONFIG_KEY in retain.keys

    @pytest.mark.parametrize("ages", [DELETING, ARCHIVING], ids=["delete", "archive"])
    def test_what_is_stored_again_meanwhile_is_skipped(
        self, retain: Retaining, monkeypatch: pytest.MonkeyPatch, ages: dict[str, Any]
    ) -> None:
        # Given a new upload after the artifact was found due
        retain.rule(**ages, kinds=(CONFIG.kind,))
        retain.world.workspace.contents[CONFIG] = b"new config"
        page = retain.due.page
        late = partial(_after, page, lambda: retain.world.upload(CONFIG, "again"))
        monkeypatch.setattr(InMemoryDueArtifacts, "page", lambda _self, *a, **n: late(*a, **n))
        # When
        result = retain()
        # Then
        assert (str(result), retain.tombstones.rows) == ("0 archived, 0 deleted, 1 skipped", {})
        assert retain.world.store.objects[CONFIG_KEY] == b"new config"
        assert retain.world.artifacts.rows[CONFIG].object.tier_name == "STANDARD"

    def test_what_is_being_uploaded_is_left(self, retain: Retaining) -> None:
        retain.rule(delete_after=days(300))
        retain.world.transfers.request(CONFIG, Direction.UPLOAD, "again")
        assert str(retain()) == "0 archived, 2 deleted"
        assert retain.keys == {CONFIG_KEY}

    def test_two_at_once_delete_each_artifact_once(
        self, retain: Retaining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given another operator who does it all after the artifacts were found due
        retain.rule(delete_after=days(300))
        page, other = retain.due.page, retain.apply
        done: list[RetentionResult] = []

        def do_all() -> None:
            monkeypatch.setattr(InMemoryDueArtifacts, "page", lambda _self, *a, **n: page(*a, **n))
            with audited(retain.trail, NewAction(name="retention apply", actor="ann")) as action:
                done.append(other.everything(action))

        late = partial(_after, page, do_all)
        monkeypatch.setattr(InMemoryDueArtifacts, "page", lambda _self, *a, **n: late(*a, **n))
        # When
        result = retain()
        # Then
        assert [str(each) for each in (*done, result)] == [
            "0 archived, 3 deleted",
            "0 archived, 0 deleted, 3 skipped",
        ]
        assert retain.keys == set()

    def test_what_the_store_refuses_is_reported_and_the_rest_done(self, retain: Retaining) -> None:
        # Given
        retain.rule(delete_after=days(300))
        at = next(each for each in retain.versions.all("jobs/12/") if "config" in each.address.key)
        retain.versions.held = {at}
        # When
        result = retain()
        # Then
        assert [(each.artifact, each.error) for each in result.refusals] == [
            (CONFIG, "AccessDenied")
        ]
        assert str(result) == "0 archived, 2 deleted, 1 refused"
        # And the next one tries it again
        retain.versions.held = set()
        assert str(retain()) == "0 archived, 1 deleted"

    def test_an_archive_that_is_refused_is_reported(self, retain: Retaining) -> None:
        retain.rule(archive_after=days(300), tier_name="GLACIER")
        retain.world.copier.failures = [AccessDeniedError("no s3:GetObjectTagging")]
        result = retain()
        assert (result.total(ARCHIVE), [each.error for each in result.refusals]) == (
            2,
            ["no s3:GetObjectTagging"],
        )

    def test_a_store_that_is_away_ends_it(
        self, retain: Retaining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given artifacts of six jobs
        retain.rule(delete_after=days(300))
        page = RetentionPage(due=_of_six_jobs(retain), last=6, is_end=True)
        monkeypatch.setattr(InMemoryDueArtifacts, "page", lambda _self, *_a, **_n: page)
        monkeypatch.setattr(DeleteArtifacts, "__call__", _away)
        # When
        with pytest.raises(StoreUnavailableError):
            retain()
        # Then
        action = retain.actions[-1]
        assert (action.outcome, "5 refused" in str(action.result)) == ("failed", True)


class TestPeriodic:
    def test_without_rules_or_anything_due_nothing_is_kept(self, retain: Retaining) -> None:
        assert retain.next_page() == RetentionResult()
        retain.rule(delete_after=days(9000))
        assert retain.next_page() == RetentionResult()
        assert retain.actions == []

    def test_a_run_does_one_page_and_the_next_one_continues(
        self, retain: Retaining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        monkeypatch.setattr(retention, "PERIODIC_PAGE", 2)
        retain.rule(delete_after=days(300))
        # When, Then
        assert [str(retain.next_page()) for _ in range(3)] == [
            "0 archived, 2 deleted",
            "0 archived, 1 deleted",
            "0 archived, 0 deleted",
        ]
        assert [(each.actor, each.reason) for each in retain.actions] == [
            ("retention@host", "retention rules: old"),
            ("retention@host", "retention rules: old"),
        ]

    def test_what_is_refused_does_not_keep_the_others_waiting(
        self, retain: Retaining, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        monkeypatch.setattr(retention, "PERIODIC_PAGE", 1)
        retain.rule(delete_after=days(300))
        retain.versions.held = {*retain.versions.all("jobs/12/")}
        # When
        results = [str(retain.next_page()) for _ in range(3)]
        # Then
        assert results == [*(["0 archived, 0 deleted, 1 refused"] * 2), "0 archived, 1 deleted"]

    def test_ranges_with_nothing_due_are_passed_over(self, retain: Retaining) -> None:
        retain.due.scanned = 1
        retain.rule(kinds=(OTHER.kind,), delete_after=days(300))
        assert str(retain.next_page()) == "0 archived, 1 deleted"


def test_a_preview_changes_nothing(retain: Retaining) -> None:
    # Given
    retain.rule(delete_after=days(300))
    retain.holds.set(13, "ann", "case 7")
    retain.due.scanned = 2
    # When
    parts = list(preview(retain.due, retain.rules.all()))
    # Then
    found = [each for part in parts for each in part.amounts]
    assert {(each.kind, each.is_held, each.artifacts, each.size) for each in found} == {
        (CONFIG.kind, False, 1, 6),
        (RESULTS.kind, False, 1, 7),
        (OTHER.kind, True, 1, 4),
    }
    assert len(retain.keys) == 3
    assert list(preview(retain.due, [])) == []


def _after(page: Any, then: Any, *arguments: Any, **named: Any) -> RetentionPage:
    """Return the page, and let something happen before it is worked on."""
    found: RetentionPage = page(*arguments, **named)
    then()
    return found


def _of_six_jobs(retain: Retaining) -> list[Any]:
    [due, *_] = retain.due.page(retain.rules.all(), after=0, limit=10).due
    return [
        replace(due, stored=replace(due.stored, artifact=Artifact(CONFIG.kind, job_id)))
        for job_id in range(1, 7)
    ]


def _away(*_: Any) -> None:
    raise StoreUnavailableError("the store is away")
