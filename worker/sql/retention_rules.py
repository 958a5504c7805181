"""Retention rules: the table `artifact_retention_rules`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, text

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.retention import MAX_RULES, RecordedRule, RetentionRule
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import Bind, autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.tables import RetentionRuleRow

_TABLE = RetentionRuleRow.__table__


class SqlRetentionRules:
    """Retention rules in SQL."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def set(self, rule: RetentionRule, set_by: str, reason: str) -> bool:
        values = {**_values(rule), "set_at": utc_now(), "set_by": set_by, "reason": reason}
        with transaction(self._bind) as connection:
            _lock(connection)
            is_new = _is_new(connection, rule.name)
            row = insert_into(connection.dialect.name, RetentionRuleRow)
            row = row.values(name=rule.name, **values)
            connection.execute(
                row.on_conflict_do_update(index_elements=[RetentionRuleRow.name], set_=values)
            )
        return is_new

    def remove(self, name: str) -> bool:
        removed = delete(RetentionRuleRow).where(RetentionRuleRow.name == name)
        with autocommit(self._bind) as connection:
            return connection.execute(removed).rowcount > 0

    def all(self) -> Sequence[RecordedRule]:
        with autocommit(self._bind) as connection:
            rules = [_rule(row) for row in connection.execute(select(_TABLE))]
        # Not by the database, whose order of letters depends on its locale.
        return sorted(rules, key=lambda rule: rule.name)


def _lock(connection: Connection) -> None:
    # Two that are set at once could both be the last that is allowed. SQLite has one writer.
    if connection.dialect.name == "postgresql":
        table = RetentionRuleRow.__tablename__
        connection.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))


def _is_new(connection: Connection, name: str) -> bool:
    """Return whether the rule is new; raise InvalidRequestError if there is no room for it."""
    names = connection.scalars(select(RetentionRuleRow.name)).all()
    if name in names:
        return False
    if len(names) >= MAX_RULES:
        raise InvalidRequestError(f"there are {MAX_RULES} rules already: remove one")
    return True


def _values(rule: RetentionRule) -> dict[str, Any]:
    return {
        "kinds": [kind.value for kind in rule.kinds],
        "tags": list(rule.tags),
        "user_ids": list(rule.user_ids),
        "archive_after": _seconds(rule.archive_after),
        "tier_name": rule.tier_name,
        "delete_after": _seconds(rule.delete_after),
        "keep_latest": rule.keep_latest,
    }


def _rule(row: Any) -> RecordedRule:  # noqa: ANN401 - a row
    try:
        return RecordedRule(
            name=row.name,
            kinds=tuple(ArtifactKind(kind) for kind in row.kinds),
            tags=tuple(row.tags),
            user_ids=tuple(row.user_ids),
            archive_after=_age(row.archive_after),
            tier_name=row.tier_name,
            delete_after=_age(row.delete_after),
            keep_latest=row.keep_latest,
            set_at=row.set_at,
            set_by=row.set_by,
            reason=row.reason,
        )
    except ValueError as error:
        # To go on without it could delete what it keeps.
        raise InvalidRequestError(
            f"the retention rule {row.name!r} is invalid: {error}. Set it again, or remove it"
        ) from error


def _seconds(age: timedelta | None) -> int | None:
    return None if age is None else int(age.total_seconds())


def _age(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
