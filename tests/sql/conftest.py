from collections.abc import Iterator

import pytest
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.worker.embedded.servers import Valkey
from tests.databases import Databases
from tests.sql.copies import Copies
from tests.sql.producer import Sent, producing_to, sent_to


@pytest.fixture(autouse=True)
def _no_celery_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery's default app is the whole process's: each test begins without one."""
    monkeypatch.setattr("celery._state.default_app", None)
    monkeypatch.setattr("celery._state._tls.current_app", None)


@pytest.fixture(scope="session")
def copies(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Copies of databases that are made once."""
    return Copies(databases, tmp_path_factory.mktemp("copies"))


@pytest.fixture
def app(broker: Valkey) -> Iterator[Celery]:
    """A producer's app."""
    with producing_to(broker.url) as app:
        yield app


@pytest.fixture
def session(engine: Engine, app: Celery) -> Iterator[Session]:  # noqa: ARG001 - the default app
    """A producer's session, which publishes by that app."""
    with Session(engine) as session:
        yield session


@pytest.fixture
def sent(broker: Valkey) -> Sent:
    return lambda: sent_to(broker)
