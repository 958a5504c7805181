"""What a month of storage costs, by prices that the user may change."""

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.prices import GIB, PriceTable, price_table

PRICES = PriceTable(
    currency="USD", per_gb_month={"STANDARD": 0.023, "GLACIER": 0.0036, "GLACIER_IR": 0.004}
)


@pytest.mark.parametrize(
    ("tier_name", "to_tier", "saved"),
    [
        ("STANDARD", None, 0.23),
        ("STANDARD", "GLACIER", 0.194),
        ("GLACIER", "GLACIER_IR", -0.004),
        ("TURBO", None, None),
        ("STANDARD", "TURBO", None),
    ],
)
def test_what_a_move_or_a_deletion_saves(
    tier_name: str, to_tier: str | None, saved: float | None
) -> None:
    found = PRICES.saved(10 * GIB, tier_name, to_tier)
    assert found == (saved if saved is None else pytest.approx(saved))


def test_a_file_replaces_the_prices_that_it_names() -> None:
    table = price_table({"per_gb_month": {"STANDARD": 1, "TURBO": 2.5}}, PRICES)
    assert (table.currency, table.per_gb_month["GLACIER"]) == ("USD", 0.0036)
    assert (table.per_gb_month["STANDARD"], table.per_gb_month["TURBO"]) == (1.0, 2.5)


def test_prices_of_another_currency_are_not_mixed_with_the_defaults() -> None:
    table = price_table({"currency": "EUR", "per_gb_month": {"STANDARD": 0.02}}, PRICES)
    assert (table.currency, dict(table.per_gb_month)) == ("EUR", {"STANDARD": 0.02})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "it has no fields"),
        ({"prices": {}}, "prices: not a field of a price table"),
        ({"currency": ""}, "currency: '' is not a name"),
        ({"currency": 7}, "currency: 7 is not a name"),
        ({"per_gb_month": 3}, "per_gb_month: 3 is no table"),
        ({"per_gb_month": {"STANDARD": "cheap"}}, "per_gb_month.STANDARD: 'cheap' is not a price"),
        ({"per_gb_month": {"STANDARD": True}}, "per_gb_month.STANDARD: True is not a price"),
        ({"per_gb_month": {"STANDARD": -1}}, "per_gb_month.STANDARD: -1 is not a price"),
        ({"per_gb_month": {"STANDARD": float("nan")}}, "per_gb_month.STANDARD: nan is not a price"),
    ],
)
def test_rubbish_is_named(given: object, said: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        price_table(given, PRICES)
    assert str(refused.value).startswith(said)
