"""Events for other programs: their outbox, the targets that fail, and whom a batch's end is for.

Old workers do not know the tables, and run on beside them. What they record makes no events.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
IS_WAITING = sa.text("refused_at IS NULL")


def upgrade() -> None:
    _create_outbox()
    for name, columns in (
        ("artifact_events_waiting", ["id"]),
        ("artifact_events_of_job", ["job_id", "id"]),
    ):
        op.create_index(
            name,
            "artifact_events",
            columns,
            postgresql_where=IS_WAITING,
            sqlite_where=IS_WAITING,
        )
    op.create_table(
        "event_target_failures",
        sa.Column("endpoint", sa.String(255), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failed_at", sa.DateTime, nullable=False),
    )
    op.add_column("batches", sa.Column("notify", sa.String(32)))


def _create_outbox() -> None:
    op.create_table(
        "artifact_events",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("occurred_at", sa.DateTime, nullable=False),
        sa.Column("target", sa.String(32), nullable=False),
        sa.Column("job_id", sa.Integer),
        sa.Column("run_id", sa.Integer),
        sa.Column("kind", sa.String(16)),
        sa.Column("direction", sa.String(8)),
        sa.Column("transfer_id", sa.BigInteger),
        sa.Column("request_id", sa.String(255)),
        sa.Column("batch_id", sa.BigInteger),
        sa.Column("batch_state", sa.String(16)),
        sa.Column("batch_members", sa.Integer),
        sa.Column("reason_code", sa.String(32)),
        sa.Column("size", sa.BigInteger),
        sa.Column("sha256", sa.String(64)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.DateTime, nullable=False),
        sa.Column("refused_at", sa.DateTime),
        sa.Column("last_error", sa.String(64)),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_column("batches", "notify")
    op.drop_table("event_target_failures")
    op.drop_table("artifact_events")
