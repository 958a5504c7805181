"""How far the pruning is, restored artifacts, and autovacuum for tables that are pruned.

By default PostgreSQL vacuums a table once a fifth of it is dead. Of ten million transfers these are
two million dead rows, which the scans of the partial indexes of active transfers pass over.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_AUTOVACUUM = {
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.02",
}
_TABLES = ("transfers", "batch_members")


def upgrade() -> None:
    op.create_table(
        "upkeep",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("completed_at", sa.DateTime),
    )
    op.add_column("artifacts", sa.Column("restore_requested_at", sa.DateTime))
    op.add_column("artifacts", sa.Column("restored_until", sa.DateTime))
    _alter_tables("SET", ", ".join(f"{name} = {value}" for name, value in _AUTOVACUUM.items()))


def downgrade() -> None:
    _alter_tables("RESET", ", ".join(_AUTOVACUUM))
    op.drop_column("artifacts", "restored_until")
    op.drop_column("artifacts", "restore_requested_at")
    op.drop_table("upkeep")


def _alter_tables(verb: str, settings: str) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _TABLES:
        # It waits for no reader and no writer.
        op.execute(f"ALTER TABLE {table} {verb} ({settings})")
