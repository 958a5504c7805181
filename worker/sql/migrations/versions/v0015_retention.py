"""Retention rules.

Old workers do not know the table, and run on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "artifact_retention_rules",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("kinds", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("user_ids", sa.JSON, nullable=False),
        sa.Column("archive_after", sa.BigInteger),
        sa.Column("tier_name", sa.String(32)),
        sa.Column("delete_after", sa.BigInteger),
        sa.Column("keep_latest", sa.Integer),
        sa.Column("set_at", sa.DateTime, nullable=False),
        sa.Column("set_by", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("artifact_retention_rules")
