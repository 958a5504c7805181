"""Operators' actions, legal holds and tombstones of deleted artifacts.

Old workers know none of these tables, and run on beside them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# SQLite counts up only a column whose type is exactly INTEGER.
_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "operator_actions",
        sa.Column("id", _BIG_ID, primary_key=True),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("job_id", sa.Integer),
        sa.Column("batch_id", _BIG_ID),
        sa.Column("target", sa.JSON, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("finished_at", sa.DateTime),
        sa.Column("outcome", sa.String(16)),
        sa.Column("result", sa.Text),
    )
    for column in ("job_id", "batch_id"):
        has_one = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"operator_actions_of_{column.removesuffix('_id')}",
            "operator_actions",
            [column, "id"],
            postgresql_where=has_one,
            sqlite_where=has_one,
        )
    op.create_table(
        "operator_action_jobs",
        sa.Column("job_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("action_id", _BIG_ID, sa.ForeignKey("operator_actions.id"), primary_key=True),
    )
    op.create_table(
        "legal_holds",
        sa.Column("job_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("held_at", sa.DateTime, nullable=False),
        sa.Column("held_by", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "tombstones",
        sa.Column("id", _BIG_ID, primary_key=True),
        sa.Column("job_id", sa.Integer, nullable=False),
        sa.Column("directory", sa.Text, nullable=False),
        sa.Column("run_id", sa.Integer),
        sa.Column("kind", sa.String(16)),
        sa.Column("all_versions", sa.Boolean, nullable=False),
        sa.Column("deleted_at", sa.DateTime, nullable=False),
        sa.Column("deleted_by", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("finished_at", sa.DateTime),
    )
    op.create_index(
        "tombstones_scope",
        "tombstones",
        [
            "job_id",
            "directory",
            sa.text("coalesce(run_id, 0)"),
            sa.text("coalesce(kind, '')"),
        ],
        unique=True,
    )


def downgrade() -> None:
    op.drop_table("tombstones")
    op.drop_table("legal_holds")
    op.drop_table("operator_action_jobs")
    op.drop_table("operator_actions")
