"""Whether what a worker hangs on answers, by the settings of the environment."""

from collections.abc import Callable, Mapping

from worker.diagnosis.backlog import reach_backlog
from worker.diagnosis.broker import impatient_app, reach_broker
from worker.diagnosis.bucket import reach_bucket
from worker.diagnosis.database import reach_database
from worker.s3.client import make_client
from worker.settings import BrokerSettings, BucketSettings, DatabaseSettings, load
from worker.sql.engine import make_engine


def _broker() -> None:
    reach_broker(impatient_app(load(BrokerSettings).broker_url))


def _database() -> None:
    reach_database(make_engine(load(DatabaseSettings).database_url))


def _bucket() -> None:
    settings = load(BucketSettings)
    client = make_client(settings.s3_endpoint_url, threads=1, bucket=settings.bucket)
    reach_bucket(client, settings.bucket)


def _backlog() -> None:
    app = impatient_app(load(BrokerSettings).broker_url)
    reach_backlog(make_engine(load(DatabaseSettings).database_url), app)


REACH: Mapping[str, Callable[[], None]] = {
    "broker": _broker,
    "database": _database,
    "bucket": _bucket,
    "backlog": _backlog,
}
"""Each raises a PipelineError that says why it does not answer, or stands still."""
