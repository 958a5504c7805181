"""Check constraints on `transfers`, in both databases."""

from collections.abc import Iterable

from alembic import op

_IDENTITY = "direction, job_id, kind, run_id"


def run_fits_kind(job_kinds: Iterable[str], run_kinds: Iterable[str]) -> str:
    """Return the condition that the kind is known, and has a run if it belongs to one.

    `{0}` in it stands for a prefix of the columns' names.
    """
    return (
        f"({{0}}kind IN ({_texts(job_kinds)}) AND {{0}}run_id IS NULL)"
        f" OR ({{0}}kind IN ({_texts(run_kinds)})"
        " AND {0}run_id IS NOT NULL AND {0}run_id > 0)"
    )


def holds_for_all(*conditions: str) -> bool:
    """Return whether each row fits all the conditions."""
    fits = " AND ".join(f"({each.format('')})" for each in conditions)
    broken = f"SELECT 1 FROM transfers WHERE NOT ({fits}) LIMIT 1"  # noqa: S608 - constants
    return op.get_bind().exec_driver_sql(broken).first() is None


def add_check(name: str, condition: str, *, validate: bool) -> None:
    """Refuse rows that do not fit the condition, from now on.

    SQLite cannot add a constraint to a table, so triggers of the same name do it.

    Args:
        name: of the constraint.
        condition: with `{0}` before the columns' names.
        validate: check the rows that are there, in PostgreSQL.
    """
    if op.get_bind().dialect.name == "postgresql":
        checked = condition.format("")
        op.execute(f"ALTER TABLE transfers ADD CONSTRAINT {name} CHECK ({checked}) NOT VALID")
        if validate:
            op.execute(f"ALTER TABLE transfers VALIDATE CONSTRAINT {name}")
        return
    for event, suffix in (("INSERT", "inserted"), (f"UPDATE OF {_IDENTITY}", "updated")):
        op.execute(
            f"CREATE TRIGGER {name}_{suffix} BEFORE {event} ON transfers"
            f" WHEN NOT ({condition.format('NEW.')})"
            f" BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: {name}'); END"
        )


def drop_check(name: str) -> None:
    """Remove the constraint, or its triggers."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE transfers DROP CONSTRAINT {name}")
        return
    for suffix in ("inserted", "updated"):
        op.execute(f"DROP TRIGGER {name}_{suffix}")


def _texts(kinds: Iterable[str]) -> str:
    return ", ".join(f"'{kind}'" for kind in kinds)
