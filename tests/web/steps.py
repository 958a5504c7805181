"""What the tests of the web application are written with."""

import asyncio
import io
import zipfile
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.types import ASGIApp

from artifact_pipeline.domain.maintenance.pipeline_status import BrokerStatus, WorkerQueues
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.metrics.workers import SeenWorker
from artifact_pipeline.worker.settings import WebSettings
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.web.access.users import Access, LocalAccess
from artifact_pipeline.worker.web.app import create_app
from artifact_pipeline.worker.web.reads.broker import BrokerView
from artifact_pipeline.worker.web.service import WebService
from artifact_pipeline.worker.web.sources import Sources
from tests.file_store.steps import initialized, store_in
from tests.s3.steps import Progress, source_of
from tests.sql.status_steps import Rows
from tests.sql.steps import CREATED_AT, job_row, run_row

API = "/api/v1"
HOST = "artifacts.example.org"
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
NO_BROKER = "redis://127.0.0.1:1/0"
_QUEUES = ["configs", "upkeep"]
_WORKER = "one@host"
UP = BrokerStatus(messages={"configs": 3}, workers=[WorkerQueues(name=_WORKER, queues=_QUEUES)])


class StillBroker:
    """Answers always the same.

    Attributes:
        shown: the answer.
        asked_first: how many have to ask before it is there.
    """

    def __init__(self) -> None:
        worker = SeenWorker(name=_WORKER, queues=_QUEUES, processes=2, tasks=1)
        self.shown = BrokerView(status=UP, workers=[worker])
        self.asked_first = 0

    def view(self, _named: Collection[str] = ()) -> BrokerView:
        if self.asked_first:
            self.asked_first -= 1
            return BrokerView(why="it is being asked")
        return self.shown

    def close(self) -> None:
        """Have nothing to close."""


class Client:
    """A browser or a program, in this process.

    Args:
        app: the application.
        peer: where the requests come from.
        base: of the URLs.
    """

    def __init__(self, app: ASGIApp, peer: str = "127.0.0.1", base: str = f"http://{HOST}") -> None:
        self._runner = asyncio.Runner()
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 5000))
        self._base = base

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url=self._base) as client:
                return await client.request(method, path, **options)

        return self._runner.run(send())

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.request("GET", f"{API}{path}", params=query)

    def answer(self, path: str, **query: Any) -> Any:
        response = self.get(path, **query)
        assert response.status_code == 200, response.text
        return response.json()

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send it with the token that the session has."""
        given = {"X-CSRF-Token": self.answer("/session")["csrf_token"], **(headers or {})}
        return self.request("POST", f"{API}{path}", json=body, params=query, headers=given)

    def close(self) -> None:
        self._runner.close()


class World:
    """A database, a store of files and a broker, and the application on them."""

    def __init__(self, engine: Engine, directory: Path, **settings: Any) -> None:
        root = initialized(directory / "store")
        self.settings = WebSettings(
            database_url=engine.url.render_as_string(hide_password=False),
            broker_url=NO_BROKER,
            store=root.url,
            **settings,
        )
        self.engine = engine
        self.store = store_in(root)
        self.sources = Sources(
            settings=self.settings,
            adapters=Adapters(self.settings, "web:tests"),
            broker=fail_fast_app(self.settings.broker),
        )
        self.broker = StillBroker()
        self.sources.__dict__["watch"] = self.broker
        self.service = WebService(self.sources)
        self.rows = Rows(engine)
        self._clients: list[Client] = []

    def read_history(self) -> None:
        """Read all hours that are kept: of older ones, a slow machine reads one at a look."""
        history, known = self.sources.throughput, -1
        while known < len(history._hours):
            known = len(history._hours)
            history.look(self.rows.now)

    def app(self, access: Access | None = None, **options: Any) -> ASGIApp:
        options.setdefault("hosts", [HOST])
        return create_app(self.service, access=access or LocalAccess("tests"), **options)

    def client(
        self, access: Access | None = None, *, peer: str = "127.0.0.1", **options: Any
    ) -> Client:
        client = Client(self.app(access, **options), peer)
        self._clients.append(client)
        return client

    def add_job(self, job_id: int = 12, *runs: int, **values: Any) -> None:
        with Session(self.engine) as session, session.begin():
            session.add(job_row(job_id, **values))
            session.flush()
            session.add_all([run_row(run, job_id) for run in runs])

    def put(self, artifact: Artifact, content: bytes, **values: Any) -> StoredArtifact:
        """Store it, and record it as a worker does."""
        stored = self.store.put(
            JobS3Prefix(artifact.job_id, CREATED_AT).key(artifact),
            source_of(content),
            content_type=artifact.kind.content_type,
            metadata=artifact.metadata,
            precondition=Create(),
            progress=Progress(),
        )
        row = StoredArtifact(artifact=artifact, object=stored, **values)
        return SqlArtifacts(self.engine).record(row, self.store.location(stored.key), None)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.service.close()


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


MINUTE = timedelta(minutes=1)
