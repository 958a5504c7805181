"""Bytes per second, hours and priority of batches.

NULL is no limit, any hour, and the normal priority. Old workers do not know the columns: until the
last one that runs the dispatch is replaced, it may release members past these limits. It charges no
bytes, so nothing is left over from it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_OF_BATCHES: dict[str, Any] = {
    "bytes_per_second": sa.BigInteger(),
    "bytes_paced_to": sa.DateTime(),
    "bytes_settled_to": sa.DateTime(),
    "expected_bytes": sa.JSON(),
    "release_hours": sa.String(11),
    "release_zone": sa.String(64),
    "priority": sa.SmallInteger(),
}


def upgrade() -> None:
    for name, kind in _OF_BATCHES.items():
        op.add_column("batches", sa.Column(name, kind))
    op.add_column("transfers", sa.Column("charged_bytes", sa.BigInteger))


def downgrade() -> None:
    op.drop_column("transfers", "charged_bytes")
    for name in reversed(_OF_BATCHES):
        op.drop_column("batches", name)
