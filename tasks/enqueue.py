"""Publishing the messages of transfers that SQL knows of."""

from collections.abc import Sequence

from celery import Celery
from kombu.exceptions import KombuError

from domain.artifacts import Artifact
from domain.errors import BrokerUnavailableError
from domain.transfers import Transfer
from tasks.app import ensure_configured, pipeline_app
from tasks.contract import queue_of, task_name


def publish(transfers: Sequence[Transfer], app: Celery | None = None) -> None:
    """Send each transfer's message: its ids, under its request id however often it is sent.

    Args:
        transfers: sent together, so that a page costs a few round trips.
        app: by default the one that `producer_app` made, else the current one.

    Raises:
        ProducerNotConfiguredError: there is no broker to send to.
        BrokerUnavailableError: the broker does not answer; SQL still has the requests.
    """
    app = app or pipeline_app()
    ensure_configured(app)
    try:
        with app.producer_or_acquire() as producer, producer.batch():
            for transfer in transfers:
                app.send_task(
                    task_name(transfer.direction, transfer.artifact.kind),
                    kwargs=_ids(transfer.artifact),
                    task_id=transfer.request_id,
                    queue=queue_of(transfer.artifact.kind),
                    producer=producer,
                    retry=False,
                    ignore_result=True,
                )
    except (KombuError, OSError) as error:
        raise BrokerUnavailableError from error


def _ids(artifact: Artifact) -> dict[str, int]:
    run = {} if artifact.run_id is None else {"run_id": artifact.run_id}
    return {"job_id": artifact.job_id, **run}
