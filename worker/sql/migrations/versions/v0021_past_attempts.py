"""The attempts of a transfer that ended without success.

A line of text for each. Old workers do not know the column: what they do adds no line to it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("transfers", sa.Column("past_attempts", sa.Text))


def downgrade() -> None:
    op.drop_column("transfers", "past_attempts")
