"""What a worker prunes."""

import logging
from datetime import timedelta
from functools import partial

from celery import Celery
from sqlalchemy import Engine

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.maintenance.prune_history import PruneHistory
from artifact_pipeline.tasks.dead_letters import prune_dead_letters
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.worker.settings import HistorySettings
from artifact_pipeline.worker.sql.history import SqlHistory

logger = logging.getLogger(__name__)


def prune_history(settings: HistorySettings, engine: Engine, app: Celery) -> int:
    """Prune what is older than the settings say; return how many rows and dead letters."""
    older_than = settings.history
    if older_than is None:
        return 0
    prune = PruneHistory(
        history=SqlHistory(engine),
        older_than=older_than,
        prune_letters=partial(_prune_letters, app),
    )
    return prune().total


def _prune_letters(app: Celery, older_than: timedelta) -> int:
    try:
        with broker_channel(app) as channel:
            return prune_dead_letters(channel, older_than)
    except BrokerUnavailableError as error:
        logger.warning("old dead letters are still there: %s", error)
        return 0
