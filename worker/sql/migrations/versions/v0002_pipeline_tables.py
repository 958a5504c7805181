"""The pipeline's own tables: batches, artifacts, transfers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RUN: sa.TextClause = sa.text("coalesce(run_id, 0)")
ACTIVE = sa.text("state IN ('requested', 'running', 'waiting')")
BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _create_batches()
    _create_artifacts()
    _create_transfers()


def downgrade() -> None:
    for table in ("transfers", "artifacts", "batches"):
        op.drop_table(table)


def _create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("requested_by", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("filter", sa.JSON, nullable=False),
        sa.Column("rate", sa.Float),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("requested_at", sa.DateTime, nullable=False),
        sa.Column("finished_at", sa.DateTime),
    )


def _create_artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("job_id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("scheme", sa.String(8), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("s3_checksum", sa.String(64), nullable=False),
        sa.Column("etag", sa.String(255), nullable=False),
        sa.Column("version_id", sa.String(1024)),
        sa.Column("storage_class", sa.String(32), nullable=False),
        sa.Column("links_left_out", sa.Integer, nullable=False),
        sa.Column("stored_at", sa.DateTime, nullable=False),
    )
    op.create_index("artifacts_identity", "artifacts", ["job_id", RUN, "kind"], unique=True)


def _create_transfers() -> None:
    op.create_table(
        "transfers",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("request_id", sa.String(255), nullable=False),
        sa.Column("job_id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("direction", sa.String(8), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.SmallInteger, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("requested_at", sa.DateTime, nullable=False),
        sa.Column("next_attempt_at", sa.DateTime, nullable=False),
        sa.Column("enqueued_at", sa.DateTime),
        sa.Column("finished_at", sa.DateTime),
        sa.Column("lease_owner", sa.String(255)),
        sa.Column("lease_expires_at", sa.DateTime),
        sa.Column("reason_code", sa.String(32)),
        sa.Column("last_error", sa.Text),
        sa.Column("bytes_sent", sa.BigInteger),
        sa.Column("upload_id", sa.Text),
        sa.Column("batch_id", BIG_ID, sa.ForeignKey("batches.id")),
    )
    identity: list[str | sa.TextClause] = ["job_id", RUN, "kind", "direction"]
    op.create_index("transfers_request", "transfers", ["request_id", *identity], unique=True)
    op.create_index(
        "transfers_one_active",
        "transfers",
        identity,
        unique=True,
        postgresql_where=ACTIVE,
        sqlite_where=ACTIVE,
    )
    op.create_index(
        "transfers_due",
        "transfers",
        ["next_attempt_at"],
        postgresql_where=ACTIVE,
        sqlite_where=ACTIVE,
    )
    op.create_index("transfers_of_job", "transfers", ["job_id", "id"])
    op.create_index("ix_transfers_batch_id", "transfers", ["batch_id"])
