"""The trace of a request, in its row.

Old producers and workers do not know the columns: the transfers that they request have no trace.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("transfers", sa.Column("trace_headers", sa.Text))
    op.add_column("batches", sa.Column("trace_headers", sa.Text))


def downgrade() -> None:
    op.drop_column("batches", "trace_headers")
    op.drop_column("transfers", "trace_headers")
