"""What `artifacts retention preview` and `apply` show."""

from collections import Counter
from dataclasses import replace
from typing import Any

from artifact_pipeline.domain.model.prices import PriceTable
from artifact_pipeline.domain.model.retention import DueAmount, DueAmounts, RetentionAction
from artifact_pipeline.domain.model.retention_results import RetentionResult
from artifact_pipeline.worker.cli.output import Count, Size, note, print_json, show_rows

_COLUMNS = (
    *("action", "kind", "month", "artifacts", "size", "storage_class", "to_storage_class"),
    "saved_per_month",
)
_HELD_SHOWN = 10
_DIGITS = 4
"""Of money, in JSON."""
_DONE = {RetentionAction.ARCHIVE: "archived", RetentionAction.DELETE: "deleted"}


class Preview:
    """What the rules would do now, added up: a row for each action, kind, month and class.

    Args:
        prices: of the classes.
        has_rules: whether there are any.
    """

    def __init__(self, prices: PriceTable, *, has_rules: bool) -> None:
        self._prices = prices
        self._has_rules = has_rules
        self._artifacts: Counter[DueAmount] = Counter()
        self._sizes: Counter[DueAmount] = Counter()
        self._held_jobs: set[int] = set()

    def add(self, amounts: DueAmounts) -> None:
        """Add the amounts of one range of rows."""
        self._held_jobs |= amounts.held_jobs
        for each in amounts.amounts:
            sort = replace(each, artifacts=0, size=0)
            self._artifacts[sort] += each.artifacts
            self._sizes[sort] += each.size

    @property
    def total(self) -> int:
        """Return how many artifacts would be archived or deleted."""
        return sum(number for sort, number in self._artifacts.items() if not sort.is_held)

    def show(self, *, as_json: bool, wide: bool) -> None:
        """Print it."""
        rows = [self._row(sort) for sort in sorted(self._artifacts, key=_order) if not sort.is_held]
        if as_json:
            print_json({**self._sums(), "rows": rows})
            return
        empty = "nothing is due" if self._has_rules else "there are no retention rules"
        currency = self._prices.currency
        shown = [{**row, "saved_per_month": _money(row, currency)} for row in rows]
        show_rows(shown, as_json=False, empty=empty, brief=_COLUMNS, wide=wide)
        self._note_sums()

    def _row(self, sort: DueAmount) -> dict[str, Any]:
        saved = self._saved(sort)
        return {
            "action": sort.action,
            "kind": sort.kind,
            "month": sort.month,
            "artifacts": Count(self._artifacts[sort]),
            "size": Size(self._sizes[sort]),
            "storage_class": sort.tier_name,
            "to_storage_class": sort.to_tier,
            "saved_per_month": None if saved is None else round(saved, _DIGITS),
        }

    def _saved(self, sort: DueAmount) -> float | None:
        return self._prices.saved(self._sizes[sort], sort.tier_name, sort.to_tier)

    def _sums(self) -> dict[str, Any]:
        ours = [sort for sort in self._artifacts if not sort.is_held]
        held = [sort for sort in self._artifacts if sort.is_held]
        saved = [each for each in map(self._saved, ours) if each is not None]
        return {
            "artifacts": sum(self._artifacts[sort] for sort in ours),
            "size": sum(self._sizes[sort] for sort in ours),
            "saved_per_month": round(sum(saved), _DIGITS),
            "currency": self._prices.currency,
            "classes_without_price": self._without_price(ours),
            "held_jobs": sorted(self._held_jobs),
            "held_artifacts": sum(self._artifacts[sort] for sort in held),
            "held_size": sum(self._sizes[sort] for sort in held),
        }

    def _without_price(self, ours: list[DueAmount]) -> list[str]:
        tiers = {tier for sort in ours for tier in (sort.tier_name, sort.to_tier) if tier}
        return sorted(tiers - self._prices.per_gb_month.keys())

    def _note_sums(self) -> None:
        sums = self._sums()
        if sums["artifacts"]:
            note(
                f"in all: {sums['artifacts']:,} artifacts ({Size(sums['size'])}), which saves"
                f" {sums['saved_per_month']:,.2f} {sums['currency']} a month"
            )
        if sums["classes_without_price"]:
            classes = ", ".join(sums["classes_without_price"])
            note(f"no price of {classes}: ARTIFACTS_RETENTION_PRICES names a file with prices")
        if held := sums["held_jobs"]:
            some = ", ".join(map(str, held[:_HELD_SHOWN]))
            more = ", …" if len(held) > _HELD_SHOWN else ""
            note(
                f"left alone, because {len(held):,} jobs are on legal hold ({some}{more}):"
                f" {sums['held_artifacts']:,} artifacts ({Size(sums['held_size'])})"
            )


def show_result(result: RetentionResult, *, as_json: bool, wide: bool) -> None:
    """Print what `apply` came to, and each refusal."""
    rows = [
        {
            "outcome": _DONE[action],
            "kind": kind,
            "artifacts": Count(number),
            "size": Size(result.sizes[action, kind]),
        }
        for (action, kind), number in sorted(result.artifacts.items())
    ]
    refusals = [
        {
            "job_id": each.artifact.job_id,
            "run_id": each.artifact.run_id,
            "kind": each.artifact.kind,
            "action": each.action,
            "error": each.error,
        }
        for each in result.refusals
    ]
    if as_json:
        sums = {"skipped": result.skipped, "refused": result.refused}
        print_json({"rows": rows, **sums, "refusals": refusals})
    else:
        show_rows(rows, as_json=False, empty="nothing was archived or deleted", wide=wide)
        _note_rest(result)


def _note_rest(result: RetentionResult) -> None:
    for each in result.refusals:
        note(f"{each.artifact}: {each.error}")
    if result.refused > len(result.refusals):
        note(f"… and {result.refused - len(result.refusals):,} more")
    if result.refused:
        note(f"refused: {result.refused:,}; run this again once the cause is fixed")
    if result.skipped:
        note(f"skipped, because they have changed or are gone: {result.skipped:,}")


def _order(sort: DueAmount) -> tuple[str, str, str, str, str]:
    return sort.action, sort.kind, sort.month, sort.tier_name, sort.to_tier or ""


def _money(row: dict[str, Any], currency: str) -> str | None:
    saved = row["saved_per_month"]
    return None if saved is None else f"{saved:,.2f} {currency}"
