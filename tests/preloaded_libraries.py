"""What a forked process finds loaded: all that it imports before it reads a setting."""

import gc
import importlib

for _name in (
    *("celery.apps.beat", "celery.bin.celery", "celery.concurrency.prefork"),
    *("celery.worker.components", "sqlalchemy.dialects.postgresql.psycopg"),
    *(
        "sqlalchemy.dialects.sqlite",
        "artifact_pipeline.worker.composition.worker",
        "artifact_pipeline.worker.lifecycle.startup",
    ),
    *("alembic.command", "boto3.session", "rich.live", "rich.table", "rich.traceback", "typer"),
):
    importlib.import_module(_name)

# A search for garbage in a fork would copy the pages that it shares.
gc.freeze()
