"""What a forked process finds loaded: all that it imports before it reads a setting."""

import ast
import gc
import importlib
from pathlib import Path

import boto3

from tests import shared_botocore, unsynced_sqlite

_APP = Path(__file__).parents[1] / "worker" / "app.py"
_LATER = (
    *("billiard.popen_fork", "billiard.sharedctypes", "boto3.s3.inject", "celery.app.amqp"),
    *("cffi.cparser", "psycopg"),
    *("celery.app.control", "celery.app.log", "celery.app.routes", "celery.apps.beat"),
    *("celery.apps.worker", "celery.bin.celery", "celery.concurrency.prefork"),
    *("celery.fixups.django", "celery.loaders.app", "celery.utils.static"),
    *("celery.worker.autoscale", "celery.worker.components", "celery.worker.consumer"),
    *("celery.worker.consumer.delayed_delivery", "kombu.transport.redis", "psutil"),
    *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite"),
    *(f"artifact_pipeline.worker.diagnosis.{part}" for part in ("broker", "bucket", "database")),
    "artifact_pipeline.worker.diagnosis.workspace",
    *("alembic.command", "rich.live", "rich.table", "rich.traceback", "typer"),
    # Not ministack itself, which reads its settings as it is imported.
    *("argparse", "gzip", "hypercorn.asyncio", "hypercorn.protocol.h11"),
    *("hypercorn.protocol.ws_stream", "h2.connection", "wsproto", "xml.etree.ElementTree"),
)
"""Modules that a library or a command imports only when it needs them."""


def _imported_by(path: Path) -> list[str]:
    """Return the modules that a module imports. Its own import would read the settings."""
    nodes = ast.parse(path.read_text()).body
    return [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]


for _name in (*_LATER, *_imported_by(_APP)):
    importlib.import_module(_name)

# The descriptions of AWS that a client needs are loaded as well.
shared_botocore.share()
unsynced_sqlite.leave_unsynced()
boto3.Session("tests", "tests-secret", region_name="us-east-1").client("s3")

# A search for garbage in a fork would copy the pages that it shares.
gc.freeze()
