"""The specification holds within its bounds, and each of its rules is needed."""

from typing import Any

import pytest

from spec.catalogue import BOUNDED, MUTATIONS
from spec.promises import AGREEMENT
from spec.search import Model, explore
from spec.single_put import Bounds, Rules, SinglePut


@pytest.mark.parametrize("model", BOUNDED.values(), ids=BOUNDED.keys())
def test_every_promise_holds(model: Model[Any]) -> None:
    # When
    found = explore(model)
    # Then
    assert (found.broken, found.trace) == (None, ())
    assert found.is_whole


@pytest.mark.parametrize("model", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_protocol_without_one_of_its_rules_is_caught(model: Model[Any]) -> None:
    # When
    found = explore(model)
    # Then
    assert found.broken is not None
    assert found.trace


def test_a_search_that_is_limited_says_so() -> None:
    # When
    found = explore(SinglePut(), limit=100)
    # Then
    assert found.broken is None
    assert not found.is_whole


def test_the_limit_that_the_documentation_names_is_real() -> None:
    # Given late workers that can die before they note what they have written
    model = SinglePut(rules=Rules(late_workers_survive=False), bounds=Bounds(cancels=0, edits=1))
    # When / Then
    assert explore(model).broken == AGREEMENT
