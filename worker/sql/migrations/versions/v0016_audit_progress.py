"""How far the periodic audit is, and what the last complete one has counted.

Old workers do not know the table, and run on beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_progress",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("cursor", sa.JSON),
        sa.Column("counts", sa.JSON),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("started_at", sa.DateTime),
        sa.Column("leased_until", sa.DateTime),
        sa.Column("finished_at", sa.DateTime),
        sa.Column("result", sa.JSON),
    )


def downgrade() -> None:
    op.drop_table("audit_progress")
