"""The platform that uses the pipeline, and a client of the platform that knows only URLs."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.platform.job_controller import JobController
from artifact_pipeline.worker.composition.producer import Producer


class Platform:
    """Code of the platform, which has a session for each thing it does."""

    def __init__(self, engine: Engine, producer: Producer, app: Celery) -> None:
        self._engine = engine
        self._producer = producer
        self.app = app

    @contextmanager
    def controller(self) -> Iterator[JobController]:
        with Session(self._engine) as session, session.begin():
            yield self._producer.controller(session)


class Client:
    """Knows a URL, and nothing else."""

    def put(self, url: str, body: bytes) -> int:
        return self.send("PUT", url, body)[0]

    def get(self, location: UploadLocation) -> bytes:
        status, body = self.send("GET", location.url)
        assert status == 200, body
        return body

    def send(
        self, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """A plain request over HTTP."""
        parts = urlsplit(url)
        connection = HTTPConnection(parts.netloc, timeout=30)
        try:
            connection.request(method, f"{parts.path}?{parts.query}", body or None, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
