"""What .env must have, and what it may."""

import re

import pytest
from dotenv import dotenv_values

from tests.compose.compose_file import GIVEN, MissingVariableError, defaults, read
from tests.image import ROOT

EXAMPLE = ROOT / ".env.example"
NEEDED = sorted(name for name, default in defaults().items() if default is None)


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_one_that_must_be_given_is_named(name: str, value: str | None) -> None:
    # Given
    given = {key: text for key, text in GIVEN.items() if key != name}
    if value is not None:
        given[name] = value
    # Then
    with pytest.raises(MissingVariableError, match=f"variable {name} is missing a value: set it"):
        read(given)


def test_every_secret_must_be_given() -> None:
    assert set(NEEDED) == set(GIVEN)
    assert {name for name in defaults() if re.search("PASSWORD|KEY", name)} < set(NEEDED)


def test_the_example_asks_for_what_must_be_given_and_has_no_value_of_it() -> None:
    assert dict(dotenv_values(EXAMPLE)) == dict.fromkeys(NEEDED, "")


def test_the_example_names_all_others_with_their_defaults() -> None:
    # When
    optional = dict(re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    # Then
    assert optional == {name: text for name, text in defaults().items() if text is not None}


def test_a_file_with_secrets_is_neither_committed_nor_sent_to_the_builder() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
    assert "!.env" not in (ROOT / ".dockerignore").read_text().splitlines()
