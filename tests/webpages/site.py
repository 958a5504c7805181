"""A web application over a database and a store in files, and what the tests put there."""

import asyncio
import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self

import httpx
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.routing import Mount

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import file_name
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.settings import WebSettings
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.web.access.users import LocalAccess
from artifact_pipeline.worker.web.app import create_app
from artifact_pipeline.worker.web.pages.routes import page_routes
from artifact_pipeline.worker.web.service import WebService
from artifact_pipeline.worker.web.sources import Sources
from tests.file_store.steps import Shelf
from tests.sql.batch_steps import History

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
PNG = b"\x89PNG\r\n\x1a\n\0rest"
USER = "ada"


class Answer:
    """A page, as text and as its links and forms."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.html = response.text
        self._seen = _Seen()
        self._seen.feed(self.html)

    @property
    def text(self) -> str:
        """Return what is read, with single spaces."""
        return " ".join("".join(self._seen.texts).split())

    @property
    def links(self) -> set[str]:
        return {
            attributes["href"] or "" for attributes in self._seen.of("a") if "href" in attributes
        }

    @property
    def elements(self) -> list[tuple[str, dict[str, str | None]]]:
        return self._seen.elements

    def token(self) -> str:
        """Return the token of the page's forms."""
        fields = [each for each in self._seen.of("input") if each.get("name") == "csrf_token"]
        return str(fields[0]["value"])


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.elements if each == tag]


class Site:
    """Use it in a `with` statement."""

    def __init__(
        self, database_url: str, directory: Path, *, is_read_only: bool = False, root: str = ""
    ) -> None:
        self.shelf = Shelf(directory)
        settings = WebSettings(
            database_url=database_url,
            broker_url="redis://127.0.0.1:1/0",
            store=self.shelf.root.url,
        )
        self.sources = Sources.of(settings)
        self.service = WebService(self.sources)
        made = create_app(
            self.service,
            access=LocalAccess(USER),
            pages=page_routes(),
            is_read_only=is_read_only,
        )
        self.app = Starlette(routes=[Mount(root, made)]) if root else made

    @property
    def engine(self) -> Engine:
        return self.sources.engine

    @property
    def history(self) -> History:
        """Jobs whose artifacts were transferred before."""
        return self._history

    def __enter__(self) -> Self:
        self._history = History(self.engine)
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 40_000))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        return self

    def __exit__(self, *_error: object) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()
        self.service.close()

    def get(self, path: str, **query: Any) -> Answer:
        return Answer(self._runner.run(self._client.get(path, params=query or None)))

    def post(self, path: str, **form: Any) -> Answer:
        """Send a form with a token, as a browser does from a page of this site."""
        token = self.service.csrf.token(USER)
        return self.post_as_is(path, csrf_token=token, **form)

    def post_as_is(self, path: str, **form: Any) -> Answer:
        return Answer(self._runner.run(self._client.post(path, data=form)))

    def post_from(self, origin: str, path: str) -> Answer:
        """Send a form from a page of another site, with a token that is right."""
        form = {"csrf_token": self.service.csrf.token(USER), "reason": "none"}
        sent = self._client.post(path, data=form, headers={"Origin": origin})
        return Answer(self._runner.run(sent))

    def store(self, artifact: Artifact, content: bytes) -> None:
        """Store and record an artifact, as a worker does."""
        key = f"jobs/{artifact.job_id}/2025/10/23/211500/{file_name(artifact)}"
        stored = self.shelf.put_with(
            self.shelf.address(key),
            content,
            {"ContentType": artifact.kind.content_type, "Metadata": artifact.metadata},
        )
        row = StoredArtifact(artifact=artifact, object=stored, stored_at=datetime.now(UTC))
        SqlArtifacts(self.engine).record(row, self.shelf.store.location(key), None)


def zip_of(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
