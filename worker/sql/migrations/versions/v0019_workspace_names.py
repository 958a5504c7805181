"""Workspaces with names, and the workspace of each transfer.

NULL is the default workspace, the only one of earlier versions. Old workers write and read no
other, and run on beside it. Their pages of uploads do not know the new index: with a long backlog
they claim more slowly until they are replaced.
"""

import sqlalchemy as sa
from alembic import op

from artifact_pipeline.worker.sql.migrations.checks import add_check, drop_check

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_LONGEST = 36
_UNTRIED = (
    "state IN ('requested', 'waiting') AND direction = 'upload' AND attempts = 0"
    " AND reason_code IS NULL AND batch_id IS NULL AND upload_id IS NULL"
)
_IS_ACTIVE = "state IN ('requested', 'running', 'waiting')"
_UNTRIED_UPLOADS = "transfers_untried_uploads"
_CHECK = "transfers_workspace_name"
_NAMES = {
    "postgresql": "{0}workspace ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'",
    "sqlite": "{0}workspace NOT GLOB '*[^a-z0-9-]*' AND {0}workspace NOT GLOB '-*'"
    " AND {0}workspace NOT GLOB '*-' AND {0}workspace <> ''",
}
"""Names that may be a part of a queue's name, in each database."""


def upgrade() -> None:
    for table in ("transfers", "batch_members"):
        op.add_column(table, sa.Column("workspace", sa.String(_LONGEST)))
    op.add_column("workspaces", sa.Column("name", sa.String(_LONGEST)))
    op.add_column("workspaces", sa.Column("seen_at", sa.DateTime))
    named = _NAMES[op.get_bind().dialect.name]
    add_check(_CHECK, f"{{0}}workspace IS NULL OR {named}", validate=True)
    op.drop_index(_UNTRIED_UPLOADS, "transfers")
    _index(_UNTRIED_UPLOADS, ["kind", "next_attempt_at"], f"{_UNTRIED} AND workspace IS NULL")
    _index(
        "transfers_untried_of_workspace",
        ["workspace", "kind", "next_attempt_at"],
        f"{_UNTRIED} AND workspace IS NOT NULL",
    )
    _index(
        "transfers_of_workspace",
        ["workspace", "next_attempt_at"],
        f"{_IS_ACTIVE} AND workspace IS NOT NULL",
    )


def downgrade() -> None:
    for name in ("transfers_of_workspace", "transfers_untried_of_workspace", _UNTRIED_UPLOADS):
        op.drop_index(name, "transfers")
    _index(_UNTRIED_UPLOADS, ["kind", "next_attempt_at"], _UNTRIED)
    drop_check(_CHECK)
    for name in ("seen_at", "name"):
        op.drop_column("workspaces", name)
    for table in ("batch_members", "transfers"):
        op.drop_column(table, "workspace")


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "transfers", columns, postgresql_where=where, sqlite_where=where)
