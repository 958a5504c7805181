"""Prices of storage, by tier."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from artifact_pipeline.domain.errors import InvalidRequestError

GIB = 2**30
"""Bytes that stores bill as one GB."""
_FIELDS = {"currency", "per_gb_month"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """What a GB costs in a month.

    Attributes: `per_gb_month` has the prices by the names of tiers.
    """

    currency: str
    per_gb_month: Mapping[str, float]

    def saved(self, size: int, tier_name: str, to_tier: str | None) -> float | None:
        """Return what moving or deleting so many bytes saves in a month; None if it is not known.

        Args:
            size: bytes.
            tier_name: that they are in.
            to_tier: that they are moved to; None for a deletion.
        """
        now = self.per_gb_month.get(tier_name)
        later = 0.0 if to_tier is None else self.per_gb_month.get(to_tier)
        if now is None or later is None:
            return None
        return size / GIB * (now - later)


def price_table(given: object, defaults: PriceTable) -> PriceTable:
    """Return the table that a file has.

    Args:
        given: as it was parsed: `currency`, and `per_gb_month` with a price for each tier.
        defaults: has the currency and the prices that the file leaves out.

    Raises:
        InvalidRequestError: names the first field that is wrong.
    """
    if not isinstance(given, Mapping):
        raise InvalidRequestError("it has no fields: give currency and per_gb_month")
    if unknown := sorted(map(str, given.keys() - _FIELDS)):
        raise InvalidRequestError(
            f"{unknown[0]}: not a field of a price table: give currency and per_gb_month"
        )
    currency = given.get("currency", defaults.currency)
    prices = given.get("per_gb_month", {})
    if not isinstance(currency, str) or not currency.strip():
        raise InvalidRequestError(f"currency: {currency!r} is not a name, such as 'USD'")
    if not isinstance(prices, Mapping):
        raise InvalidRequestError(f"per_gb_month: {prices!r} is no table of prices by tier")
    own = {str(tier): _price(str(tier), price) for tier, price in prices.items()}
    # Prices of another currency must not be mixed with the defaults.
    others = defaults.per_gb_month if currency == defaults.currency else {}
    return PriceTable(currency=currency, per_gb_month={**others, **own})


def _price(tier: str, price: Any) -> float:  # noqa: ANN401 - whatever the file has
    is_number = isinstance(price, int | float) and not isinstance(price, bool)
    if not is_number or not math.isfinite(price) or price < 0:
        raise InvalidRequestError(f"per_gb_month.{tier}: {price!r} is not a price from 0")
    return float(price)
