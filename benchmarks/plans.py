"""The plans of the statements that a measured step runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

_WIDTH = 150
"""Conditions can be long; the scans are at the begin of a line."""
_EXPLAINED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@contextmanager
def explained(engine: Engine) -> Iterator[dict[str, str]]:
    """Yield the plan of each statement that is run, by its text; EXPLAIN alone runs none.

    The first plan of a text is kept. Statements with the option `unexplained` are left out.
    """
    plans: dict[str, str] = {}

    def explain(
        _connection: object,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        _executemany: bool,  # noqa: FBT001
    ) -> None:
        is_own = context is not None and context.execution_options.get("unexplained")
        if is_own or statement in plans or not statement.lstrip().startswith(_EXPLAINED):
            return
        with cursor.connection.cursor() as another:
            another.execute(f"EXPLAIN {statement}", parameters)
            plans[statement] = "\n".join(line[:_WIDTH] for (line,) in another)

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def of_table(plans: dict[str, str], table: str) -> list[str]:
    """Return the plans that read or write the table."""
    return [plan for plan in plans.values() if f" {table}" in plan]
