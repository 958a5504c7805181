"""The workspaces that the database knows by their markers, and the failures of hosts' workspaces.

Old workers know neither table, and run on beside them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("added_at", sa.DateTime, nullable=False),
        sa.Column("added_by", sa.String(255)),
    )
    op.create_table(
        "workspace_failures",
        sa.Column("endpoint", sa.String(255), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failed_at", sa.DateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("workspace_failures")
    op.drop_table("workspaces")
