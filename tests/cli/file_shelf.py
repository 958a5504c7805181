"""A store of files with a job in it."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from tests.cli.shelf import CONFIG, RESULT_FILES, RESULTS, key_of, zip_of
from tests.file_store.steps import Shelf

OLD_KEY = "jobs/12/2025/11/01/093000/run_5_logs.log"


def filled_shelf(directory: Path, database: Engine) -> Shelf:
    """Results that are recorded, a config, and logs that lie elsewhere."""
    shelf = Shelf(directory)
    stored = shelf.put_with(
        shelf.address(key_of(RESULTS)),
        zip_of(RESULT_FILES),
        {"ContentType": "application/zip", "Metadata": RESULTS.metadata},
    )
    row = StoredArtifact(artifact=RESULTS, object=stored, stored_at=datetime.now(UTC))
    SqlArtifacts(database).record(row, shelf.store.location(stored.key), None)
    shelf.put(shelf.address(key_of(CONFIG)), b"{}")
    shelf.put(shelf.address(OLD_KEY), b"logs")
    return shelf
