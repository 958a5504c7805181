"""Constraints on `transfers`: other programs insert rows, and a wrong one fails at once.

PostgreSQL checks the rows that are there only if none of them is malformed. SQLite cannot add a
constraint to a table, so triggers of the same names do it. Rows that are malformed already are
kept, but end as cancelled: a constraint would fail every later update of them. Their last error has
the state they were in.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

CONSTRAINTS = {
    "transfers_known_direction": "{0}direction IN ('upload', 'download', 'confirm', 'relocate')",
    "transfers_of_a_job": "{0}job_id > 0",
    "transfers_run_fits_kind": (
        "({0}kind IN ('job_config', 'job_input') AND {0}run_id IS NULL)"
        " OR ({0}kind IN ('run_config', 'run_results', 'run_logs')"
        " AND {0}run_id IS NOT NULL AND {0}run_id > 0)"
    ),
}
IDENTITY = "direction, job_id, kind, run_id"


WELL_FORMED = " AND ".join(f"({each.format('')})" for each in CONSTRAINTS.values())


def upgrade() -> None:
    _end_malformed_rows()
    for name, condition in CONSTRAINTS.items():
        if op.get_bind().dialect.name == "postgresql":
            checked = condition.format("")
            op.execute(f"ALTER TABLE transfers ADD CONSTRAINT {name} CHECK ({checked}) NOT VALID")
            if not _are_malformed_rows_left():
                op.execute(f"ALTER TABLE transfers VALIDATE CONSTRAINT {name}")
            continue
        for event, suffix in (("INSERT", "inserted"), (f"UPDATE OF {IDENTITY}", "updated")):
            op.execute(
                f"CREATE TRIGGER {name}_{suffix} BEFORE {event} ON transfers"
                f" WHEN NOT ({condition.format('NEW.')})"
                f" BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: {name}'); END"
            )


def downgrade() -> None:
    for name in CONSTRAINTS:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"ALTER TABLE transfers DROP CONSTRAINT {name}")
            continue
        for suffix in ("inserted", "updated"):
            op.execute(f"DROP TRIGGER {name}_{suffix}")


def _are_malformed_rows_left() -> bool:
    malformed = f"SELECT 1 FROM transfers WHERE NOT ({WELL_FORMED}) LIMIT 1"  # noqa: S608 - constants
    return op.get_bind().exec_driver_sql(malformed).first() is not None


def _end_malformed_rows() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    now = "timezone('utc', now())" if is_postgres else "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
    ended = (
        "UPDATE transfers SET state = 'cancelled', lease_owner = NULL, lease_expires_at = NULL,"  # noqa: S608 - constants
        f" fence = 0, finished_at = {now}, last_error = 'malformed row; its state was ' || state"
        " WHERE state IN ('requested', 'waiting', 'running', 'quarantined')"
        f" AND NOT ({WELL_FORMED})"
    )
    op.execute(ended)
