"""Who asked for a transfer.

Old workers name the columns that they read and write, so they run on beside the new one, which is
empty for what they record.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("transfers", sa.Column("requested_by", sa.String(255)))


def downgrade() -> None:
    op.drop_column("transfers", "requested_by")
