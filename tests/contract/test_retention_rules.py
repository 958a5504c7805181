"""The contract of retention rules, over each adapter."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.retention import MAX_RULES, RetentionRule
from artifact_pipeline.domain.ports.retention import IRetentionRules
from tests.contract.repositories import Repositories

RULE = RetentionRule(
    name="results",
    kinds=(ArtifactKind.RUN_RESULTS, ArtifactKind.RUN_LOGS),
    tags=("gold", "team=blue"),
    user_ids=(7, 2**40),
    archive_after=timedelta(days=90),
    tier_name="DEEP_ARCHIVE",
    delete_after=timedelta(days=36_500),
    keep_latest=3,
)
KEEPING = RetentionRule(name="gold")


@pytest.fixture
def rules(repositories: Repositories) -> IRetentionRules:
    return repositories.rules


def test_a_rule_is_kept_with_who_and_why(rules: IRetentionRules) -> None:
    # When
    assert rules.set(RULE, "ann", "the budget")
    # Then
    [kept] = rules.all()
    assert {each.name: getattr(kept, each.name) for each in fields(RULE)} == {
        each.name: getattr(RULE, each.name) for each in fields(RULE)
    }
    assert (kept.set_by, kept.reason, kept.set_at.tzinfo is not None) == ("ann", "the budget", True)


def test_a_rule_of_the_same_name_replaces_it(rules: IRetentionRules) -> None:
    # Given
    rules.set(RULE, "ann", "the budget")
    # When
    assert not rules.set(RetentionRule(name=RULE.name), "bob", "a mistake")
    # Then
    [kept] = rules.all()
    assert (kept.kinds, kept.delete_after, kept.set_by) == ((), None, "bob")


def test_rules_are_in_the_order_of_their_names(rules: IRetentionRules) -> None:
    for name in ("b", "a.1", "B", "a-1"):
        rules.set(replace(KEEPING, name=name), "ann", "x")
    assert [rule.name for rule in rules.all()] == ["B", "a-1", "a.1", "b"]


def test_a_removal_ends_it(rules: IRetentionRules) -> None:
    rules.set(RULE, "ann", "x")
    assert (rules.remove(RULE.name), rules.remove(RULE.name)) == (True, False)
    assert rules.all() == []


def test_there_is_a_limit(rules: IRetentionRules) -> None:
    # Given
    for number in range(MAX_RULES):
        rules.set(replace(KEEPING, name=f"rule-{number}"), "ann", "x")
    # When
    with pytest.raises(InvalidRequestError, match=f"there are {MAX_RULES} rules already"):
        rules.set(RULE, "ann", "x")
    # Then one that is there can still be changed
    assert not rules.set(replace(RULE, name="rule-7"), "ann", "x")
