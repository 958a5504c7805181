"""An index for the transfers that were done lately."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

IS_DONE = sa.text("state = 'done'")


def upgrade() -> None:
    op.create_index(
        "transfers_done",
        "transfers",
        ["finished_at"],
        postgresql_where=IS_DONE,
        sqlite_where=IS_DONE,
    )


def downgrade() -> None:
    op.drop_index("transfers_done", "transfers")
