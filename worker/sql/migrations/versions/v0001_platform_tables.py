"""The platform's tables, where there is no platform.

Only what is missing is made and nothing that is there is touched, so a demo and the tests have
the columns that the platform's own migrations make, and a platform keeps its own.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JOB_STATUS = ("CREATED", "SUBMITTED", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED")
RUN_STATUS = (
    *("QUEUED", "NOT_STARTED", "RUNNING", "ERROR", "DONE"),
    *("SUBMITTED", "RUNNING_LEGACY", "FAILED", "CANCELLED"),
)
POD_PHASE = ("PENDING", "RUNNING", "SUCCEEDED", "FAILED", "UNKNOWN")


def upgrade() -> None:
    # Search by the search path: a platform may keep its tables in another schema than the first.
    look = sa.inspect(op.get_bind())
    if not look.has_table("jobs"):
        _create_jobs()
    if not look.has_table("runs"):
        _create_runs()


def downgrade() -> None:
    """Do nothing: whether the tables are the platform's is no longer known."""


def _enum(name: str, members: tuple[str, ...]) -> sa.types.TypeEngine[str]:
    native = postgresql.ENUM(*members, name=name, create_type=False)
    native.create(op.get_bind(), checkfirst=True)
    return sa.Enum(*members, name=name).with_variant(native, "postgresql")


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("tags", sa.JSON),
        sa.Column("status", _enum("jobstatusenum", JOB_STATUS), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime),
        sa.Column("input_location", sa.String),
        sa.Column("config_location", sa.String),
        sa.Column("job_metadata", sa.JSON),
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.Integer, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime),
        sa.Column("request", sa.JSON),
        sa.Column("pod_phase", _enum("podphaseenum", POD_PHASE)),
        sa.Column("container_status", sa.String),
        sa.Column("status", _enum("runstatusenum", RUN_STATUS), nullable=False),
        sa.Column("user_deleted", sa.Integer, nullable=False, server_default="0"),
        sa.Column("epx_client_version", sa.String),
        sa.Column("config_url", sa.String),
        sa.Column("results_url", sa.String),
        sa.Column("results_uploaded_at", sa.DateTime),
    )
