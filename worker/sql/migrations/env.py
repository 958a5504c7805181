"""Runs the migrations on the connection that `worker.sql.migrate` hands over."""

from alembic import context

from artifact_pipeline.worker.sql.version import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    # The caller's transaction, which also holds the lock, is the only one.
    transactional_ddl=False,
)
context.run_migrations()
