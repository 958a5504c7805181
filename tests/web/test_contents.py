"""The bytes of artifacts: downloads, previews, members of zips."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.worker.file_store.reading import FileObjectReader
from artifact_pipeline.worker.web.services import contents
from tests.web.steps import API, CONFIG, RESULTS, Client, World, zipped

HOSTILE = "RUN1/\u202e<img src=x onerror=alert(1)>\"';\r\n.csv"
FILES = {"RUN1/out.csv": b"a,b\n1,2\n", "RUN1/data.bin": b"\0\1\2" * 100, HOSTILE: b"x"}
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
OF_RESULTS = "/jobs/12/artifacts/run_results"


@pytest.fixture
def stocked(world: World) -> World:
    """With a config, results and logs of job 12."""
    world.add_job(12, 4)
    world.put(CONFIG, '{"name": "Größe"}'.encode())
    world.put(RESULTS, zipped(FILES))
    world.put(LOGS, b"line\n" * 1_000)
    return world


@pytest.fixture
def client(stocked: World) -> Client:
    return stocked.client()


class TestDownloads:
    def test_of_a_store_of_files_this_server_sends_the_bytes(self, client: Client) -> None:
        # When
        found = client.post("/jobs/12/artifacts/job_config/download").json()
        sent = client.request("GET", found["url"])
        # Then
        assert found["url"] == f"{API}/jobs/12/artifacts/job_config/content"
        assert sent.text == '{"name": "Größe"}'
        assert sent.headers["content-type"] == "application/octet-stream"
        assert sent.headers["content-disposition"].startswith('attachment; filename="job_config.j')

    def test_a_mounted_application_names_its_own_path(self, stocked: World) -> None:
        # Given
        platform = Client(Starlette(routes=[Mount("/tools/artifacts", stocked.app())]))
        root = f"/tools/artifacts{API}"
        token = platform.request("GET", f"{root}/session").json()["csrf_token"]
        # When
        found = platform.request(
            "POST",
            f"{root}{OF_RESULTS}/download",
            params={"run_id": 4},
            headers={"X-CSRF-Token": token},
        ).json()
        sent = platform.request("GET", found["url"])
        document = platform.request("GET", f"{root}/openapi.json").json()
        platform.close()
        # Then
        assert found["url"] == f"{root}{OF_RESULTS}/content?run_id=4"
        assert zipfile.ZipFile(io.BytesIO(sent.content)).namelist()[0] == "RUN1/out.csv"
        assert document["servers"] == [{"url": root}]

    def test_of_a_bucket_it_is_a_url_that_expires_soon(
        self, client: Client, stocked: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        asked: list[Any] = []

        class Results:
            def get_download_url(self, url: str, expiration_seconds: int) -> UploadLocation:
                asked.append((url.rpartition("/")[2], expiration_seconds))
                return UploadLocation("https://bucket.s3.invalid/key?X-Amz-Signature=abc")

        settings = stocked.settings.model_copy(update={"store": ""})
        monkeypatch.setattr(stocked.sources, "settings", settings)
        monkeypatch.setattr(stocked.sources.adapters._of_store, "results", Results(), raising=False)
        monkeypatch.setattr(type(stocked.sources.adapters), "results", Results())
        # When
        response = client.post("/jobs/12/artifacts/job_config/download")
        # Then it is in no cache
        assert response.json() == {
            "url": "https://bucket.s3.invalid/key?X-Amz-Signature=abc",
            "expires_in": 300,
            "size": 19,
            "must_be_restored": False,
        }
        assert response.headers["cache-control"] == "no-store"
        assert asked == [("job_config.json", 300)]

    def test_what_is_nowhere_is_not_found(self, client: Client) -> None:
        response = client.post("/jobs/12/artifacts/job_input/download")
        assert (response.status_code, response.json()["code"]) == (404, "artifact_missing")

    @pytest.mark.parametrize("path", ["run_results", "job_config?run_id=4", "no_kind", "..%2f.."])
    def test_what_names_no_artifact_is_refused(self, client: Client, path: str) -> None:
        kind, _, query = path.partition("?")
        response = client.request("GET", f"{API}/jobs/12/artifacts/{kind}/content?{query}")
        assert response.status_code in {400, 404, 422}


class TestPreviews:
    def test_of_a_text(self, client: Client) -> None:
        preview = client.answer("/jobs/12/artifacts/job_config/preview")
        assert (preview["text"], preview["is_cut"]) == ('{"name": "Größe"}', False)

    def test_of_its_first_bytes(self, client: Client) -> None:
        # Cut within a character
        preview = client.answer("/jobs/12/artifacts/job_config/preview", limit=13)
        assert (preview["text"], preview["size"], preview["is_cut"]) == ('{"name": "Gr', 19, True)

    def test_of_a_large_file_no_more_is_read(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        read: list[tuple[int, int | None]] = []
        original = FileObjectReader.read

        def watched(
            self: FileObjectReader, source: BucketObject, start: int = 0, stop: int | None = None
        ) -> Iterator[bytes]:
            read.append((start, stop))
            return original(self, source, start, stop)

        monkeypatch.setattr(FileObjectReader, "read", watched)
        # When
        preview = client.answer("/jobs/12/artifacts/run_logs/preview", run_id=4, limit=10)
        # Then
        assert (preview["text"], read) == ("line\nline\n", [(0, 10)])

    def test_of_a_binary_file_there_is_no_text(self, client: Client) -> None:
        preview = client.answer(f"{OF_RESULTS}/members/preview", run_id=4, member="RUN1/data.bin")
        assert (preview["text"], preview["is_binary"], preview["size"]) == (None, True, 300)

    def test_of_a_member(self, client: Client) -> None:
        preview = client.answer(
            f"{OF_RESULTS}/members/preview", run_id=4, member="RUN1/out.csv", limit=3
        )
        assert (preview["name"], preview["text"], preview["is_cut"]) == ("out.csv", "a,b", True)


class TestMembers:
    def test_they_are_listed_in_pages(self, client: Client) -> None:
        first = client.answer(f"{OF_RESULTS}/members", run_id=4, limit=2)
        rest = client.answer(f"{OF_RESULTS}/members", run_id=4, after=first["next"])
        assert [each["name"] for each in first["members"] + rest["members"]] == list(FILES)
        assert (first["total"], rest["next"]) == (3, None)

    def test_they_are_found_by_a_part_of_the_name(self, client: Client) -> None:
        found = client.answer(f"{OF_RESULTS}/members", run_id=4, contains="OUT")
        assert [each["name"] for each in found["members"]] == ["RUN1/out.csv"]

    def test_one_is_sent_whole(self, client: Client) -> None:
        sent = client.get(f"{OF_RESULTS}/members/content", run_id=4, member="RUN1/out.csv")
        assert (sent.content, sent.headers["content-length"]) == (FILES["RUN1/out.csv"], "8")

    def test_a_hostile_name_is_data(self, client: Client) -> None:
        sent = client.get(f"{OF_RESULTS}/members/content", run_id=4, member=HOSTILE)
        assert (sent.status_code, sent.content) == (200, b"x")
        disposition = sent.headers["content-disposition"]
        assert not {"\r", "\n", "<"} & set(disposition)
        assert disposition.isascii()
        assert sent.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize("name", ["nothing", "../../etc/passwd", "RUN1/"])
    def test_one_that_is_not_there(self, client: Client, name: str) -> None:
        response = client.get(f"{OF_RESULTS}/members/content", run_id=4, member=name)
        assert (response.status_code, response.json()["code"]) == (404, "artifact_missing")

    def test_of_a_kind_without_members(self, client: Client) -> None:
        response = client.get("/jobs/12/artifacts/job_config/members")
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")

    def test_of_a_broken_zip(self, client: Client, stocked: World) -> None:
        stocked.put(Artifact(ArtifactKind.JOB_INPUT, 12), b"PK no zip")
        response = client.get("/jobs/12/artifacts/job_input/members")
        assert (response.status_code, response.json()["code"]) == (422, "unsafe_archive")


class TestListings:
    def test_it_compares_the_store_with_the_records(self, client: Client) -> None:
        objects = client.answer("/jobs/12/objects")["objects"]
        assert {(each["kind"], each["state"]) for each in objects} == {
            ("job_config", "stored"),
            ("run_results", "stored"),
            ("run_logs", "stored"),
        }
        assert all(each["location"].startswith("file:///") for each in objects)


class TestAStoreThatIsAway:
    def test_each_answer_says_so_in_one_line(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        def away(*_: object, **__: object) -> None:
            raise StoreUnavailableError("it does not answer: https://s3.invalid/?X-Amz-Signature=1")

        for name in ("find", "read", "list"):
            monkeypatch.setattr(FileObjectReader, name, away)
        # Then
        for path in (f"{OF_RESULTS}/members?run_id=4", "/jobs/12/objects"):
            response = client.request("GET", f"{API}{path}")
            assert (response.status_code, response.headers["retry-after"]) == (503, "5")
            assert response.json()["detail"] == "it does not answer: <url>"
        # And what SQL knows is shown
        assert client.get("/jobs/12").status_code == 200

    def test_one_that_hangs_is_not_waited_for(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(contents, "_ANSWER_SECONDS", 0.0)
        response = client.get("/jobs/12/objects")
        assert response.status_code == 503
        assert response.json()["detail"] == "the store has not answered within 0 s"
