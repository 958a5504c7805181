"""When the last attempt of a transfer began, from which the metrics tell its wait and duration.

A transfer that was claimed before has none, and neither has one that an older worker claims first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("transfers", sa.Column("claimed_at", sa.DateTime))


def downgrade() -> None:
    op.drop_column("transfers", "claimed_at")
