"""An index for the uploads that may be claimed together."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IS_UNTRIED_UPLOAD = sa.text(
    "state IN ('requested', 'waiting') AND direction = 'upload' AND attempts = 0"
    " AND reason_code IS NULL AND batch_id IS NULL AND upload_id IS NULL"
)


def upgrade() -> None:
    op.create_index(
        "transfers_untried_uploads",
        "transfers",
        ["kind", "next_attempt_at"],
        postgresql_where=IS_UNTRIED_UPLOAD,
        sqlite_where=IS_UNTRIED_UPLOAD,
    )


def downgrade() -> None:
    op.drop_index("transfers_untried_uploads", "transfers")
