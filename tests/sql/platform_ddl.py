"""A database as the platform's own migrations make it.

`jobs`, `runs`, the three types and the indexes are those of its revisions 001 and 002: its models
say that `runs.job_id` refers to `jobs.id`, its migrations make no such constraint. Two things are
not of its migrations: `users` stands for the tables that the pipeline does not know, and the rows.
"""

from sqlalchemy import Engine, text

_POSTGRESQL = """
CREATE TYPE jobstatusenum AS ENUM
    ('CREATED', 'SUBMITTED', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED');
CREATE TYPE podphaseenum AS ENUM ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'UNKNOWN');
CREATE TYPE runstatusenum AS ENUM
    ('QUEUED', 'NOT_STARTED', 'RUNNING', 'ERROR', 'DONE', 'SUBMITTED', 'RUNNING_LEGACY',
     'FAILED', 'CANCELLED');
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE users (id SERIAL PRIMARY KEY, email VARCHAR UNIQUE);
CREATE TABLE jobs (
    id SERIAL NOT NULL,
    user_id INTEGER NOT NULL,
    tags JSON NOT NULL,
    status jobstatusenum NOT NULL,
    created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    input_location VARCHAR,
    config_location VARCHAR,
    job_metadata JSON NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_jobs_created_at ON jobs (created_at);
CREATE INDEX ix_jobs_status ON jobs (status);
CREATE INDEX ix_jobs_user_id ON jobs (user_id);
CREATE TABLE runs (
    id SERIAL NOT NULL,
    job_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    request JSON NOT NULL,
    pod_phase podphaseenum NOT NULL,
    container_status VARCHAR,
    status runstatusenum NOT NULL,
    user_deleted INTEGER NOT NULL,
    epx_client_version VARCHAR NOT NULL,
    config_url VARCHAR,
    results_url VARCHAR,
    results_uploaded_at TIMESTAMP WITHOUT TIME ZONE,
    PRIMARY KEY (id)
);
CREATE INDEX ix_runs_created_at ON runs (created_at);
CREATE INDEX ix_runs_job_id ON runs (job_id);
CREATE INDEX ix_runs_status ON runs (status);
CREATE INDEX ix_runs_user_id ON runs (user_id);
"""

_ROWS = """
INSERT INTO alembic_version VALUES ('f00dfeedbeef');
INSERT INTO users (id, email) VALUES (7, 'a@b.c');
INSERT INTO jobs (id, user_id, tags, status, created_at, updated_at, job_metadata)
    VALUES (12, 7, '[]', 'CREATED', '2025-10-23 21:15:00.000000', '2025-10-23 21:15:00.000000',
            '{}');
INSERT INTO runs (id, job_id, user_id, created_at, updated_at, request, pod_phase, status,
                  user_deleted, epx_client_version)
    VALUES (4, 12, 7, '2025-10-23 21:16:00.000000', '2025-10-23 21:16:00.000000', '{}', 'RUNNING',
            'RUNNING', 0, '1.2.2');
"""


def make_platform(engine: Engine, *, tables: set[str] | None = None) -> None:
    """Create the platform's tables, or only those, and a row in each."""
    wanted = {"alembic_version", "users", "jobs", "runs"} if tables is None else tables
    ddl = _POSTGRESQL if engine.dialect.name == "postgresql" else _sqlite()
    with engine.begin() as connection:
        for statement in _statements(ddl + _ROWS):
            if _table_of(statement) in {None, *wanted}:
                connection.execute(text(statement))


def _sqlite() -> str:
    statements = [s for s in _statements(_POSTGRESQL) if not s.startswith("CREATE TYPE")]
    ddl = ";\n".join(statements) + ";\n"
    for native, plain in {
        "SERIAL": "INTEGER",
        "jobstatusenum": "VARCHAR(10)",
        "runstatusenum": "VARCHAR(14)",
        "podphaseenum": "VARCHAR(9)",
        "TIMESTAMP WITHOUT TIME ZONE": "DATETIME",
    }.items():
        ddl = ddl.replace(native, plain)
    return ddl


def _statements(script: str) -> list[str]:
    return [statement.strip() for statement in script.split(";") if statement.strip()]


def _table_of(statement: str) -> str | None:
    words = statement.replace("(", " ").split()
    if words[:2] == ["CREATE", "INDEX"]:
        return words[4]
    return None if words[1] == "TYPE" else words[2]
