"""Writes whose outcome is unknown, and up to when they are verified.

Transfers that ended without a record before this are verified once. Old workers name the columns
that they write, so they run on beside the new ones; their fence alone says that they have claimed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

IS_UNVERIFIED = sa.text(
    "(state IN ('cancelled', 'quarantined') AND direction IN ('upload', 'relocate') AND fence > 0"
    " AND (verified_to IS NULL OR verified_to < finished_at)"
    " OR state = 'cancelled' AND direction = 'confirm'"
    " AND (verified_to IS NULL OR verified_to < finished_at)"
    " OR state IN ('done', 'cancelled', 'quarantined') AND doubted_at IS NOT NULL"
    " AND direction IN ('upload', 'relocate', 'confirm')"
    " AND (verified_to IS NULL OR verified_to < doubted_at))"
)


def upgrade() -> None:
    op.add_column("transfers", sa.Column("doubted_at", sa.DateTime))
    op.add_column("transfers", sa.Column("verified_to", sa.DateTime))
    op.create_index(
        "transfers_unverified",
        "transfers",
        ["id"],
        postgresql_where=IS_UNVERIFIED,
        sqlite_where=IS_UNVERIFIED,
    )


def downgrade() -> None:
    op.drop_index("transfers_unverified", "transfers")
    op.drop_column("transfers", "verified_to")
    op.drop_column("transfers", "doubted_at")
