"""What a retention rule may say, what it does at an age, and which of several counts."""

from datetime import timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.retention import (
    RetentionAction,
    RetentionRule,
    most_protective,
)

KEEP, ARCHIVE, DELETE = RetentionAction
CONFIG, RESULTS = ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_RESULTS
ARCHIVES = ("GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")


def days(number: float) -> timedelta:
    return timedelta(days=number)


def rule(**changes: Any) -> RetentionRule:
    given = {"name": "old", "archive_after": days(90), "tier_name": "GLACIER"}
    return RetentionRule(**{**given, "delete_after": days(400), **changes})


class TestOneRule:
    @pytest.mark.parametrize(
        ("age", "action"),
        [(0, KEEP), (89.9, KEEP), (90, ARCHIVE), (399.9, ARCHIVE), (400, DELETE), (9000, DELETE)],
    )
    def test_it_keeps_then_archives_then_deletes(self, age: float, action: RetentionAction) -> None:
        assert rule().action(days(age), newer=0) is action

    def test_it_may_only_archive_or_only_delete(self) -> None:
        archiving = rule(delete_after=None)
        deleting = rule(archive_after=None, tier_name=None)
        assert archiving.action(days(9000), 0) is ARCHIVE
        assert [deleting.action(days(age), 0) for age in (399, 400)] == [KEEP, DELETE]

    def test_without_ages_it_keeps_forever(self) -> None:
        keeping = RetentionRule(name="gold", tags=("gold",))
        assert keeping.action(days(9000), 0) is KEEP
        assert str(keeping) == "all kinds, tag gold: keep"

    @pytest.mark.parametrize(("newer", "action"), [(0, KEEP), (1, KEEP), (2, DELETE), (9, DELETE)])
    def test_it_keeps_the_latest(self, newer: int, action: RetentionAction) -> None:
        assert rule(keep_latest=2).action(days(500), newer) is action

    @pytest.mark.parametrize(
        ("selectors", "is_selected"),
        [
            ({}, True),
            ({"kinds": (CONFIG, RESULTS)}, True),
            ({"kinds": (RESULTS,)}, False),
            ({"user_ids": (1, 7)}, True),
            ({"user_ids": (1,)}, False),
            ({"tags": ("gold", "team=blue")}, True),
            ({"tags": ("gold", "silver")}, False),
            ({"kinds": (CONFIG,), "tags": ("gold",), "user_ids": (8,)}, False),
        ],
    )
    def test_every_selector_must_fit(self, selectors: dict[str, Any], is_selected: bool) -> None:  # noqa: FBT001 - a parameter
        found = rule(**selectors).selects(CONFIG, ["gold", "team=blue"], 7)
        assert found is is_selected

    def test_it_is_shown_in_one_line(self) -> None:
        shown = rule(kinds=(RESULTS,), user_ids=(7,), keep_latest=3)
        assert str(shown) == (
            "run_results, user 7: archive to GLACIER after 90d,"
            " then delete after 400d, except the latest 3"
        )


class TestRubbish:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"name": ""}, "name: '' is not a name"),
            ({"name": "a b"}, "name: 'a b' is not a name"),
            ({"name": "-x"}, "name: '-x'"),
            ({"name": "x" * 65}, "name: "),
            ({"tags": ("",)}, "tags: a tag is empty"),
            ({"archive_after": days(0.5)}, "archive_after: 12h is not from 1d to 36500d"),
            ({"delete_after": days(36_501)}, "delete_after: 36501d is not from"),
            ({"delete_after": days(90)}, "delete_after: 90d is not later than archive_after"),
            ({"tier_name": None}, "tier_name: belongs to archive_after"),
            ({"archive_after": None}, "tier_name: belongs to archive_after"),
            ({"keep_latest": 0}, "keep_latest: 0 is not from 1 to 10000"),
            ({"keep_latest": 10_001}, "keep_latest: 10001 is not from"),
            (
                {"archive_after": None, "tier_name": None, "delete_after": None, "keep_latest": 2},
                "keep_latest: 2, but the rule keeps all artifacts",
            ),
        ],
    )
    def test_the_field_is_named(self, changes: dict[str, Any], said: str) -> None:
        with pytest.raises(InvalidRequestError) as refused:
            rule(**changes)
        assert str(refused.value).startswith(said)


class TestSeveralRules:
    @pytest.mark.parametrize(
        ("actions", "found"),
        [
            ([], (KEEP, None)),
            ([(DELETE, None)], (DELETE, None)),
            ([(DELETE, None), (KEEP, None)], (KEEP, None)),
            ([(ARCHIVE, "GLACIER"), (KEEP, None)], (KEEP, None)),
            ([(DELETE, "GLACIER"), (DELETE, None)], (DELETE, None)),
            ([(DELETE, "GLACIER_IR"), (ARCHIVE, "GLACIER")], (ARCHIVE, "GLACIER")),
            ([(ARCHIVE, "DEEP_ARCHIVE"), (ARCHIVE, "GLACIER")], (ARCHIVE, "GLACIER")),
            ([(ARCHIVE, "GLACIER"), (ARCHIVE, "GLACIER_IR")], (ARCHIVE, "GLACIER_IR")),
        ],
    )
    def test_the_most_protective_one_wins(
        self,
        actions: list[tuple[RetentionAction, str | None]],
        found: tuple[RetentionAction, str | None],
    ) -> None:
        assert most_protective(actions, ARCHIVES) == found
        assert most_protective(reversed(actions), ARCHIVES) == found
