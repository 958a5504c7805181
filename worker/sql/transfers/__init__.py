"""The `transfers` table."""

# Producers imported it from here before this was a package.
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers as SqlTransfers
