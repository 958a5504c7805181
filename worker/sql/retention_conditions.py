"""What several retention rules say of an artifact, as conditions of SQL.

They are `RetentionRule.action` and `most_protective`, over columns.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    String,
    Subquery,
    and_,
    case,
    false,
    func,
    null,
    or_,
    select,
    true,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import aliased

from artifact_pipeline.domain.model.retention import RetentionRule, tier_place
from artifact_pipeline.worker.sql.artifact_filter import has_tag
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.sql.tables import ArtifactRow

_Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions on a row of `artifacts` that is joined with its job.

    Attributes:
        is_deleted: all rules that select it delete it.
        is_archived: all rules that select it archive or delete it, and not all delete it.
        tier_name: that it is archived to.
        is_counted: the rule that was asked for selects it.
    """

    is_deleted: _Condition
    is_archived: _Condition
    tier_name: ColumnElement[Any]
    is_counted: _Condition


def conditions_of(
    rules: Sequence[RetentionRule],
    archives: Sequence[str],
    dialect: str,
    *,
    place: ColumnElement[int],
    of_rule: str | None = None,
) -> Conditions:
    """Return the conditions.

    Args:
        rules: all that there are.
        archives: names of tiers, the one that is the quickest to read first.
        dialect: of the database.
        place: of the artifact, as `recency` returns it; only rules with `keep_latest` need it.
        of_rule: the name of the rule whose artifacts are counted; None counts the artifacts of all.
    """
    each = [_OneRule.of(rule, dialect, place) for rule in rules]
    is_selected = _any(one.selects for one in each)
    keeps = _any(and_(one.selects, ~one.acts) for one in each)
    keeps_undeleted = _any(and_(one.selects, ~one.deletes) for one in each)
    named = [one for one in each if of_rule in (None, one.rule.name)]
    return Conditions(
        is_deleted=and_(is_selected, ~keeps_undeleted),
        is_archived=and_(is_selected, ~keeps, keeps_undeleted),
        tier_name=_tier(each, archives),
        is_counted=_any(one.selects for one in named),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneRule:
    """What one rule says.

    Attributes:
        selects: whether it is about the artifact.
        acts: whether it archives or deletes it now.
        deletes: whether it deletes it now.
    """

    rule: RetentionRule
    selects: _Condition
    acts: _Condition
    deletes: _Condition

    @classmethod
    def of(cls, rule: RetentionRule, dialect: str, place: ColumnElement[int]) -> "_OneRule":
        # A job may have no tags at all: what is unknown then must not pass for "not selected" here
        # and for "not kept" there.
        selects = func.coalesce(and_(true(), *_selectors(rule, dialect)), false())
        is_not_latest = true() if rule.keep_latest is None else place > rule.keep_latest
        is_old = or_(_is_old(rule.archive_after), _is_old(rule.delete_after))
        return cls(
            rule=rule,
            selects=selects,
            acts=and_(is_old, is_not_latest),
            deletes=and_(_is_old(rule.delete_after), is_not_latest),
        )


def _selectors(rule: RetentionRule, dialect: str) -> Iterator[_Condition]:
    if rule.kinds:
        yield ArtifactRow.kind.in_([kind.value for kind in rule.kinds])
    if rule.user_ids:
        yield JobRow.user_id.in_(rule.user_ids)
    for tag in rule.tags:
        yield has_tag(tag, dialect)


def _is_old(age: timedelta | None) -> _Condition:
    return false() if age is None else ArtifactRow.stored_at <= utc_now(-age)


def recency(after: int, last: int) -> Subquery:
    """Return the place of each artifact among those of its job and kind, 1 for the latest.

    It is of all artifacts of the jobs that have one in this range of ids. A look for each artifact
    would read the job's others each time, which takes minutes for a job with 20,000 runs.
    """
    in_range = select(ArtifactRow.job_id).where(ArtifactRow.id > after, ArtifactRow.id <= last)
    other = aliased(ArtifactRow)
    place = func.row_number().over(
        partition_by=[other.job_id, other.kind], order_by=[other.stored_at.desc(), other.id.desc()]
    )
    ranked = select(other.id, place.label("place")).where(other.job_id.in_(in_range))
    return ranked.subquery("recency")


def _tier(each: Sequence[_OneRule], archives: Sequence[str]) -> ColumnElement[Any]:
    """Return the quickest tier of the rules that archive the artifact and do not delete it yet."""
    archiving = [one for one in each if one.rule.tier_name is not None]
    if not archiving:
        return sql_cast(null(), String)
    ordered = sorted(archiving, key=lambda one: tier_place(str(one.rule.tier_name), archives))
    return case(
        *((and_(one.selects, one.acts, ~one.deletes), str(one.rule.tier_name)) for one in ordered),
        else_=null(),
    )


def _any(conditions: Iterable[_Condition]) -> _Condition:
    return or_(false(), *conditions)
