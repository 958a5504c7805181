"""Constraints on `transfers`: other programs insert rows, and a wrong one fails at once.

PostgreSQL checks the rows that are there only if none of them is malformed. SQLite cannot add a
constraint to a table, so triggers of the same names do it. Rows that are malformed already are
kept, but end as cancelled: a constraint would fail every later update of them. Their last error has
the state they were in.
"""

from alembic import op

from artifact_pipeline.worker.sql.migrations.checks import (
    add_check,
    drop_check,
    holds_for_all,
    run_fits_kind,
)

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

CONSTRAINTS = {
    "transfers_known_direction": "{0}direction IN ('upload', 'download', 'confirm', 'relocate')",
    "transfers_of_a_job": "{0}job_id > 0",
    "transfers_run_fits_kind": run_fits_kind(
        ("job_config", "job_input"), ("run_config", "run_results", "run_logs")
    ),
}
WELL_FORMED = " AND ".join(f"({each.format('')})" for each in CONSTRAINTS.values())


def upgrade() -> None:
    _end_malformed_rows()
    validate = holds_for_all(*CONSTRAINTS.values())
    for name, condition in CONSTRAINTS.items():
        add_check(name, condition, validate=validate)


def downgrade() -> None:
    for name in CONSTRAINTS:
        drop_check(name)


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
