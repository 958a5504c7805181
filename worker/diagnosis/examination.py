"""Every part of a deployment, examined one after the other."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from domain.errors import ConfigurationError, PipelineError
from domain.redaction import redact
from worker.diagnosis.backlog import examine_backlog
from worker.diagnosis.broker import examine_broker, impatient_app
from worker.diagnosis.bucket import examine_bucket
from worker.diagnosis.database import examine_database, opened
from worker.diagnosis.findings import Finding, error
from worker.diagnosis.workspace import examine_workspace
from worker.s3.client import make_client
from worker.s3.store import Encryption
from worker.settings import WorkerSettings, load

Examination = Callable[[], Iterator[Finding]]


def examine_deployment() -> Iterator[Finding]:
    """Examine every part by the settings of a worker.

    Raises:
        ConfigurationError: a setting is missing or wrong.
    """
    return _examine(_parts(load(WorkerSettings)))


def _parts(settings: WorkerSettings) -> Mapping[str, Examination]:
    return {
        "broker": lambda: examine_broker(impatient_app(settings.broker_url)),
        "database": lambda: _database(settings),
        "bucket": lambda: _bucket(settings),
        "workspace": lambda: examine_workspace(settings.workspace),
        "backlog": lambda: _backlog(settings),
    }


def _database(settings: WorkerSettings) -> Iterator[Finding]:
    with opened(settings.database_url) as engine:
        yield from examine_database(engine)


def _bucket(settings: WorkerSettings) -> Iterator[Finding]:
    client = make_client(settings.s3_endpoint_url, threads=1, bucket=settings.bucket)
    encryption = Encryption(settings.sse, settings.kms_key_id)
    default = None if settings.url_signs_encryption else encryption
    yield from examine_bucket(client, settings.bucket, default)


def _backlog(settings: WorkerSettings) -> Iterator[Finding]:
    # The examinations of broker and database report a wrong URL.
    with suppress(ConfigurationError), opened(settings.database_url) as engine:
        yield from examine_backlog(engine, impatient_app(settings.broker_url))


def _examine(parts: Mapping[str, Examination]) -> Iterator[Finding]:
    """Examine each part, also after one that cannot be examined."""
    for name, examine in parts.items():
        try:
            yield from examine()
        except PipelineError as wrong:
            what = redact(" ".join(str(wrong).split()))
            yield _unexamined(name, what, "correct that, and run `artifacts doctor` again")
        except Exception as unknown:  # noqa: BLE001 - the other parts may be what is wrong
            what = redact(f"{type(unknown).__name__}: {unknown}")
            yield _unexamined(name, what, "look at the settings of this part, and at its log")


def _unexamined(name: str, what: str, mend: str) -> Finding:
    return error(name, what, why="it cannot be used, nor examined any further", mend=mend)
