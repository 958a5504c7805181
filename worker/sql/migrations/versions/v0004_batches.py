"""Batches with their frozen members."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ACTIVE_OF_BATCH = sa.text("batch_id IS NOT NULL AND state IN ('requested', 'running', 'waiting')")
NO = sa.text("false")


def upgrade() -> None:
    # Workers of the version before insert transfers without it.
    op.add_column(
        "transfers", sa.Column("is_forced", sa.Boolean, nullable=False, server_default=NO)
    )
    op.create_index(
        "transfers_active_of_batch",
        "transfers",
        ["batch_id"],
        postgresql_where=ACTIVE_OF_BATCH,
        sqlite_where=ACTIVE_OF_BATCH,
    )
    for column in (
        sa.Column("mode", sa.String(8)),
        sa.Column("max_in_flight", sa.Integer),
        sa.Column("is_forced", sa.Boolean, nullable=False, server_default=NO),
        sa.Column("members", sa.Integer),
        sa.Column("expires_at", sa.DateTime),
        sa.Column("started_at", sa.DateTime),
        sa.Column("released_to", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("paced_to", sa.DateTime),
    ):
        op.add_column("batches", column)
    op.create_table(
        "batch_members",
        sa.Column("batch_id", BIG_ID, sa.ForeignKey("batches.id"), primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("direction", sa.String(8), nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason_code", sa.String(32)),
        sa.Column("size", sa.BigInteger),
        sa.Column("left_out", sa.String(16)),
    )


def downgrade() -> None:
    op.drop_table("batch_members")
    with op.batch_alter_table("batches") as batches:
        for column in (
            *("mode", "max_in_flight", "is_forced", "members"),
            *("expires_at", "started_at", "released_to", "paced_to"),
        ):
            batches.drop_column(column)
    op.drop_index("transfers_active_of_batch", "transfers")
    with op.batch_alter_table("transfers") as transfers:
        transfers.drop_column("is_forced")
