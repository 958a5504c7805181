"""`artifacts health`: for whoever restarts what is not well."""

import time
from enum import StrEnum
from typing import Annotated

import typer

from domain.errors import PipelineError
from worker.diagnosis.broker import impatient_app, reach_broker
from worker.diagnosis.bucket import reach_bucket
from worker.diagnosis.database import reach_database
from worker.s3.client import make_client
from worker.settings import (
    BrokerSettings,
    BucketSettings,
    DatabaseSettings,
    LivenessSettings,
    load,
)
from worker.sql.engine import make_engine

app = typer.Typer(help="Whether this worker is well.", no_args_is_help=True)


class NotWellError(PipelineError):
    """What was asked about is not as it should be."""


class Part(StrEnum):
    BROKER = "broker"
    DATABASE = "database"
    BUCKET = "bucket"


@app.command("live")
def live(
    *,
    within: Annotated[
        float, typer.Option(min=1, help="Seconds since it last looked at its queues.")
    ] = 60,
) -> None:
    """Whether the worker listens: it has looked at its queues just now, or has its hands full."""
    path = load(LivenessSettings).liveness_file
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        raise NotWellError(f"no worker has looked at its queues yet: {path}") from None
    if age > within:
        raise NotWellError(f"the worker has not looked at its queues for {age:.0f} s")
    typer.echo(f"the worker looked at its queues {age:.0f} s ago")


@app.command("ready")
def ready(
    *,
    only: Annotated[
        list[Part] | None, typer.Option("--only", help="By default all; repeatable.")
    ] = None,
) -> None:
    """Whether broker, database and bucket answer."""
    reach = {Part.BROKER: _broker, Part.DATABASE: _database, Part.BUCKET: _bucket}
    for part in only or Part:
        try:
            reach[part]()
        except PipelineError as error:
            raise NotWellError(f"{part}: {error or type(error).__name__}") from error
        typer.echo(f"{part} answers")


def _broker() -> None:
    reach_broker(impatient_app(load(BrokerSettings).broker_url))


def _database() -> None:
    reach_database(make_engine(load(DatabaseSettings).database_url))


def _bucket() -> None:
    settings = load(BucketSettings)
    client = make_client(settings.s3_endpoint_url, threads=1, bucket=settings.bucket)
    reach_bucket(client, settings.bucket)
