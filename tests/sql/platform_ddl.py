"""A database as the platform's own migrations make it."""

from sqlalchemy import Engine, text

_POSTGRESQL = """
CREATE TYPE jobstatusenum AS ENUM
    ('CREATED', 'SUBMITTED', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED');
CREATE TYPE runstatusenum AS ENUM
    ('QUEUED', 'NOT_STARTED', 'RUNNING', 'ERROR', 'DONE', 'SUBMITTED', 'RUNNING_LEGACY',
     'FAILED', 'CANCELLED');
CREATE TYPE podphaseenum AS ENUM ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'UNKNOWN', 'ODD');
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
CREATE TABLE users (id SERIAL PRIMARY KEY, email VARCHAR UNIQUE);
CREATE TABLE jobs (
    id SERIAL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    tags JSON,
    status jobstatusenum NOT NULL,
    created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL DEFAULT now(),
    updated_at TIMESTAMP WITHOUT TIME ZONE,
    input_location VARCHAR,
    config_location VARCHAR,
    job_metadata JSON
);
CREATE INDEX ix_jobs_user_id ON jobs (user_id);
CREATE TABLE runs (
    id SERIAL PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES users (id),
    created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITHOUT TIME ZONE,
    request JSON,
    pod_phase podphaseenum,
    container_status VARCHAR,
    status runstatusenum NOT NULL,
    user_deleted INTEGER NOT NULL DEFAULT 0,
    epx_client_version VARCHAR,
    config_url VARCHAR,
    results_url VARCHAR,
    results_uploaded_at TIMESTAMP WITHOUT TIME ZONE
);
CREATE INDEX ix_runs_job_id ON runs (job_id);
"""

_ROWS = """
INSERT INTO alembic_version VALUES ('f00dfeedbeef');
INSERT INTO users (id, email) VALUES (7, 'a@b.c');
INSERT INTO jobs (id, user_id, status, created_at)
    VALUES (12, 7, 'CREATED', '2025-10-23 21:15:00.000000');
INSERT INTO runs (id, job_id, user_id, status, created_at)
    VALUES (4, 12, 7, 'RUNNING', '2025-10-23 21:16:00.000000');
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
        "DEFAULT now()": "DEFAULT CURRENT_TIMESTAMP",
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
