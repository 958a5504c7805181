"""Which artifacts are due by the retention rules, over each adapter."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import file_name
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.retention import (
    DueAmount,
    DueArtifact,
    RetentionAction,
    RetentionRule,
)
from artifact_pipeline.domain.model.transfers import Direction
from tests.contract.repositories import OTHER_JOB, Repositories
from tests.contract.transfer_steps import CONFIG, LOCATION, LOGS, RESULTS, stored_artifact

ARCHIVE, DELETE = RetentionAction.ARCHIVE, RetentionAction.DELETE
OTHER = Artifact(ArtifactKind.JOB_CONFIG, OTHER_JOB)
NOW = datetime.now(UTC)


def days(number: float) -> timedelta:
    return timedelta(days=number)


def deleting(after: float = 30, **changes: Any) -> RetentionRule:
    return RetentionRule(**{"name": "delete", "delete_after": days(after), **changes})


def archiving(after: float = 10, tier_name: str = "GLACIER", **changes: Any) -> RetentionRule:
    given = {"name": "archive", "archive_after": days(after), "tier_name": tier_name}
    return RetentionRule(**{**given, **changes})


@dataclass(frozen=True)
class Shelf:
    """What is recorded, and what is due of it."""

    of: Repositories

    def record(self, artifact: Artifact, age: float, **changes: Any) -> StoredArtifact:
        """Record an artifact so many days ago. Args: `changes` of its object."""
        stored = stored_artifact(artifact, stored_at=NOW - days(age))
        name = file_name(artifact)
        key = f"jobs/{artifact.job_id}/2025/10/23/211500/{name}"
        given = {"key": key, "size": 100, "tier_name": "STANDARD", **changes}
        stored = replace(stored, object=replace(stored.object, **given))
        return self.of.artifacts.record(stored, LOCATION, None)

    def due(self, *rules: RetentionRule, limit: int = 100) -> list[DueArtifact]:
        return [each for page in self.pages(*rules, limit=limit) for each in page]

    def pages(self, *rules: RetentionRule, limit: int) -> Iterator[list[DueArtifact]]:
        after, is_end = 0, False
        while not is_end:
            page = self.of.due.page(rules, after=after, limit=limit)
            yield list(page.due)
            assert page.is_end or page.last > after
            after, is_end = page.last, page.is_end

    def actions(self, *rules: RetentionRule) -> dict[Artifact, RetentionAction]:
        return {each.stored.artifact: each.action for each in self.due(*rules)}

    def amounts(self, *rules: RetentionRule, of_rule: str | None = None) -> list[DueAmount]:
        found: list[DueAmount] = []
        after, is_end = 0, False
        while not is_end:
            part = self.of.due.count(rules, after=after, of_rule=of_rule)
            found += part.amounts
            after, is_end = part.last, part.is_end
        return found


@pytest.fixture
def shelf(repositories: Repositories) -> Shelf:
    return Shelf(repositories)


class TestAges:
    def test_nothing_is_due_without_rules(self, shelf: Shelf) -> None:
        shelf.record(CONFIG, 9000)
        assert shelf.due() == []

    def test_an_age_counts_from_the_record(self, shelf: Shelf) -> None:
        # Given
        shelf.record(CONFIG, 9)
        shelf.record(RESULTS, 11)
        shelf.record(LOGS[0], 31)
        # When
        due = shelf.actions(archiving(10, delete_after=days(30)))
        # Then
        assert due == {RESULTS: ARCHIVE, LOGS[0]: DELETE}

    def test_the_row_comes_with_it(self, shelf: Shelf) -> None:
        stored = shelf.record(RESULTS, 11)
        [due] = shelf.due(archiving(10, "DEEP_ARCHIVE"))
        assert (due.stored, due.tier_name) == (stored, "DEEP_ARCHIVE")

    @pytest.mark.parametrize("tier_name", ["GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"])
    def test_what_is_archived_is_only_deleted(self, shelf: Shelf, tier_name: str) -> None:
        shelf.record(RESULTS, 11, tier_name=tier_name)
        shelf.record(LOGS[0], 31, tier_name=tier_name)
        assert shelf.actions(archiving(10, delete_after=days(30))) == {LOGS[0]: DELETE}


class TestSelectors:
    @pytest.mark.parametrize(
        ("selectors", "found"),
        [
            ({}, {CONFIG, RESULTS, OTHER}),
            ({"kinds": (CONFIG.kind,)}, {CONFIG, OTHER}),
            ({"kinds": (CONFIG.kind, RESULTS.kind)}, {CONFIG, RESULTS, OTHER}),
            ({"user_ids": (2, 3)}, {OTHER}),
            ({"tags": ("gold",)}, {CONFIG, RESULTS}),
            ({"tags": ("gold", "silver")}, set()),
            ({"tags": ("gold",), "kinds": (CONFIG.kind,), "user_ids": (1,)}, {CONFIG}),
        ],
    )
    def test_every_selector_must_fit(
        self, shelf: Shelf, selectors: dict[str, Any], found: set[Artifact]
    ) -> None:
        for artifact in (CONFIG, RESULTS, OTHER):
            shelf.record(artifact, 31)
        assert {*shelf.actions(deleting(**selectors))} == found

    def test_the_latest_of_each_job_and_kind_are_kept(self, shelf: Shelf) -> None:
        # Given
        for number, artifact in enumerate(LOGS):
            shelf.record(artifact, 100 - number)
        shelf.record(OTHER, 100)
        # When, Then
        assert {*shelf.actions(deleting(keep_latest=2))} == {*LOGS[:3]}
        assert shelf.actions(deleting(keep_latest=5)) == {}
        assert {*shelf.actions(deleting())} == {*LOGS, OTHER}


class TestSeveralRules:
    """The most protective one wins."""

    def test_one_that_keeps_longer_wins(self, shelf: Shelf) -> None:
        shelf.record(CONFIG, 31)
        shelf.record(RESULTS, 31)
        longer = deleting(300, name="results", kinds=(RESULTS.kind,))
        assert shelf.actions(deleting(30), longer) == {CONFIG: DELETE}

    def test_one_without_ages_keeps_forever(self, shelf: Shelf) -> None:
        shelf.record(CONFIG, 9000)
        shelf.record(OTHER, 9000)
        gold = RetentionRule(name="gold", tags=("gold",))
        assert shelf.actions(deleting(30), gold) == {OTHER: DELETE}
        assert shelf.actions(archiving(10), gold) == {OTHER: ARCHIVE}

    def test_one_that_only_archives_is_archived_by_the_one_that_deletes(self, shelf: Shelf) -> None:
        shelf.record(CONFIG, 31)
        [due] = shelf.due(deleting(30), archiving(10, "DEEP_ARCHIVE"))
        assert (due.action, due.tier_name) == (ARCHIVE, "DEEP_ARCHIVE")

    def test_the_latest_that_one_keeps_are_kept(self, shelf: Shelf) -> None:
        shelf.record(LOGS[0], 50)
        shelf.record(LOGS[1], 40)
        latest = deleting(30, name="latest", keep_latest=1)
        assert shelf.actions(deleting(30), latest) == {LOGS[0]: DELETE}

    def test_of_two_tiers_the_quicker_one_counts(self, shelf: Shelf) -> None:
        shelf.record(CONFIG, 31)
        rules = [
            archiving(10, "DEEP_ARCHIVE", name="a"),
            archiving(20, "GLACIER_IR", name="b"),
            archiving(10, "GLACIER", name="c"),
        ]
        assert [due.tier_name for due in shelf.due(*rules)] == ["GLACIER_IR"]
        assert shelf.due(*rules, archiving(99, "GLACIER", name="d")) == []


class TestLeftOut:
    def test_jobs_on_legal_hold(self, shelf: Shelf) -> None:
        # Given
        shelf.record(CONFIG, 31)
        shelf.record(OTHER, 31)
        shelf.of.holds.set(12, "ann", "case 7")
        # When, Then
        assert shelf.actions(deleting(30)) == {OTHER: DELETE}
        held = shelf.of.due.count([deleting(30)], after=0)
        assert held.held_jobs == {12}
        assert {(each.is_held, each.artifacts) for each in held.amounts} == {(True, 1), (False, 1)}

    @pytest.mark.parametrize("direction", Direction)
    def test_artifacts_with_an_active_transfer(self, shelf: Shelf, direction: Direction) -> None:
        # Given
        shelf.record(LOGS[0], 31)
        shelf.record(LOGS[1], 31)
        shelf.of.transfers.request(LOGS[0], direction, "a")
        # When, Then
        assert shelf.actions(deleting(30)) == {LOGS[1]: DELETE}

    def test_artifacts_of_jobs_that_the_platform_has_not(self, shelf: Shelf) -> None:
        shelf.record(Artifact(ArtifactKind.JOB_CONFIG, 99), 31)
        shelf.record(OTHER, 31)
        assert shelf.actions(deleting(30)) == {OTHER: DELETE}


class TestPages:
    def test_a_page_has_a_limit(self, shelf: Shelf) -> None:
        for artifact in (*LOGS, CONFIG, OTHER):
            shelf.record(artifact, 31)
        pages = list(shelf.pages(deleting(30), limit=2))
        assert max(map(len, pages)) == 2
        found = [each.stored.artifact for page in pages for each in page]
        assert sorted(map(str, found)) == sorted(map(str, (*LOGS, CONFIG, OTHER)))

    def test_a_range_without_anything_is_not_the_end(self, shelf: Shelf) -> None:
        for artifact in LOGS:
            shelf.record(artifact, 1)
        shelf.record(OTHER, 31)
        assert shelf.actions(deleting(30)) == {OTHER: DELETE}

    def test_the_position_is_kept(self, shelf: Shelf) -> None:
        due = shelf.of.due
        found = [due.position()]
        for position in (17, 2**40, 0):
            due.keep_position(position)
            found.append(due.position())
        assert found == [0, 17, 2**40, 0]


class TestAmounts:
    def test_they_are_by_action_kind_month_and_tier(self, shelf: Shelf) -> None:
        # Given
        rows = [shelf.record(artifact, 31) for artifact in LOGS[:2]]
        shelf.record(CONFIG, 11, size=7)
        rules = [archiving(10, delete_after=days(30))]
        # When
        amounts = shelf.amounts(*rules)
        # Then the ranges of rows may have parts of it
        months = {f"{row.recorded_at:%Y-%m}" for row in rows}
        deleted = [each for each in amounts if each.action is DELETE]
        assert (sum(each.artifacts for each in deleted), sum(each.size for each in deleted)) == (
            2,
            200,
        )
        assert {(each.kind, each.month, each.tier_name, each.to_tier) for each in deleted} == {
            (ArtifactKind.RUN_LOGS, month, "STANDARD", None) for month in months
        }
        [archived] = [each for each in amounts if each.action is ARCHIVE]
        assert (archived.kind, archived.size, archived.to_tier) == (CONFIG.kind, 7, "GLACIER")

    def test_of_one_rule_only_what_it_selects_is_counted(self, shelf: Shelf) -> None:
        # Given
        shelf.record(CONFIG, 31)
        shelf.record(RESULTS, 31)
        rules = [deleting(30), deleting(20, name="results", kinds=(RESULTS.kind,))]
        # When, Then
        assert sum(each.artifacts for each in shelf.amounts(*rules)) == 2
        [amount] = shelf.amounts(*rules, of_rule="results")
        assert (amount.kind, amount.artifacts) == (RESULTS.kind, 1)
