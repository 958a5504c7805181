"""What the breaker counts, and indexes for the open uploads and the quarantine."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

HAS_UPLOAD = sa.text("upload_id IS NOT NULL")
IS_QUARANTINED = sa.text("state = 'quarantined'")


def upgrade() -> None:
    op.create_table(
        "s3_endpoints",
        sa.Column("endpoint", sa.String(255), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failed_at", sa.DateTime, nullable=False),
    )
    op.create_index(
        "transfers_upload",
        "transfers",
        ["upload_id"],
        postgresql_where=HAS_UPLOAD,
        sqlite_where=HAS_UPLOAD,
    )
    op.create_index(
        "transfers_quarantined",
        "transfers",
        ["finished_at"],
        postgresql_where=IS_QUARANTINED,
        sqlite_where=IS_QUARANTINED,
    )


def downgrade() -> None:
    op.drop_index("transfers_quarantined", "transfers")
    op.drop_index("transfers_upload", "transfers")
    op.drop_table("s3_endpoints")
