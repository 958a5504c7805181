"""The search finds what is broken, and `python -m spec` fails then.

`make check` explores the bounded models and the mutations; these tests do not repeat it.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from spec import __main__ as command
from spec.catalogue import BOUNDED, MUTATIONS, WHOLE
from spec.promises import AGREEMENT
from spec.relocation import Relocation
from spec.search import Model, explore
from spec.single_put import Bounds, Rules, SinglePut

ROOT = Path(__file__).parents[2]
HOLDS = Relocation()
BROKEN = Relocation(deletes_after_record=False)


def run(
    monkeypatch: pytest.MonkeyPatch, models: dict[str, Model[Any]], mutations: dict[str, Model[Any]]
) -> int:
    """Run `python -m spec --bounded` with these models instead."""
    monkeypatch.setattr("sys.argv", ["spec", "--bounded"])
    monkeypatch.setattr(command, "BOUNDED", models)
    monkeypatch.setattr(command, "MUTATIONS", mutations)
    return command.main()


def test_models_that_hold_and_mutations_that_are_caught_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # When
    status = run(monkeypatch, {"a": HOLDS, "b": HOLDS}, {"rule": BROKEN})
    # Then each was explored
    assert status == 0
    out = capsys.readouterr().out
    assert re.findall("^(.+): [0-9]+ states in", out, re.MULTILINE) == ["a", "b", "without “rule”"]
    assert "2 models, 1 mutations" in out


def test_a_broken_promise_fails_and_its_steps_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # When
    status = run(monkeypatch, {"a": HOLDS, "b": BROKEN}, {})
    # Then
    assert status == 1
    found = explore(BROKEN)
    assert found.broken is not None
    assert found.trace
    out = capsys.readouterr().out
    assert found.broken in out
    assert all(f"    {step}\n" in out for step in found.trace)


def test_a_mutation_that_is_not_caught_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # When
    status = run(monkeypatch, {"a": HOLDS}, {"caught": BROKEN, "missed": HOLDS})
    # Then
    assert status == 1
    assert re.findall(": NOT CAUGHT$", capsys.readouterr().out, re.MULTILINE) == [": NOT CAUGHT"]


def test_make_check_explores_the_bounded_models_and_the_mutations() -> None:
    # Given
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    # Then
    assert recipe is not None
    assert "\t$(BIN)/python -m spec --bounded\n" in recipe[1]
    assert (len(BOUNDED), len(MUTATIONS)) == (9, 41)
    assert BOUNDED.items() <= WHOLE.items()


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
