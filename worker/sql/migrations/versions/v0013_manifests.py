"""The manifests of jobs, and which artifacts they list.

What was recorded before is in a manifest once its job has a new artifact. Old workers do not know
`listed_at`: what they record has none, or a later `stored_at`, and so is not listed yet.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

IS_UNLISTED = sa.text("listed_at IS NULL OR listed_at < stored_at")


def upgrade() -> None:
    op.create_table(
        "manifests",
        sa.Column("job_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("not_before", sa.DateTime, nullable=False),
        sa.Column("asked_at", sa.DateTime),
        sa.Column("version", sa.String(255)),
    )
    _add_listed_at()
    op.create_index(
        "artifacts_unlisted",
        "artifacts",
        ["job_id"],
        postgresql_where=IS_UNLISTED,
        sqlite_where=IS_UNLISTED,
    )


def _add_listed_at() -> None:
    if op.get_bind().dialect.name != "postgresql":
        op.add_column("artifacts", sa.Column("listed_at", sa.DateTime))
        op.execute("UPDATE artifacts SET listed_at = stored_at")
        return
    # PostgreSQL keeps a default of the moment for all rows, and so rewrites none of them.
    now = sa.text("timezone('utc', statement_timestamp())")
    op.add_column("artifacts", sa.Column("listed_at", sa.DateTime, server_default=now))
    op.alter_column("artifacts", "listed_at", server_default=None)


def downgrade() -> None:
    op.drop_index("artifacts_unlisted", "artifacts")
    op.drop_column("artifacts", "listed_at")
    op.drop_table("manifests")
