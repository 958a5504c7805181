"""Results that are stored without a worker: a contract over each adapter."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from domain.errors import (
    InvalidRequestError,
    SourceEmptyError,
    SourceInvalidError,
    SourceMissingError,
)
from domain.fakes import InMemoryResults, InMemoryStore
from domain.locations import UploadLocation
from domain.platform_ports import IResultsRepository
from tests.conftest import create_bucket
from tests.s3.results_steps import FILES, PREFIX, body_of, upload
from tests.s3.steps import (
    KEY,
    client_at,
)
from tests.workspace.trees import link, plant, unzipped
from worker.s3.results import S3ResultsRepository


@dataclass(frozen=True)
class Adapter:
    """Results, and a look into what is behind them."""

    results: IResultsRepository
    body: Callable[[], bytes]
    url: str
    bucket: str


@pytest.fixture(params=["fake", "moto", "ministack"])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    if request.param == "fake":
        store = InMemoryStore()
        url = f"https://bucket.s3.invalid/{KEY}"
        return Adapter(InMemoryResults(store), lambda: store.objects[KEY], url, "bucket")
    client = client_at(request.getfixturevalue(request.param).url)
    bucket = create_bucket(client)
    url = f"{client.meta.endpoint_url}/{bucket}/{KEY}"
    results = S3ResultsRepository(bucket, s3_client=client)
    return Adapter(results, lambda: body_of(client, bucket), url, bucket)


class TestUploaded:
    def test_the_run_directories_are_stored_as_a_zip(
        self, adapter: Adapter, directory: Path
    ) -> None:
        upload(adapter.results, directory)
        assert unzipped(adapter.body()) == FILES

    def test_the_answer_describes_what_is_stored(self, adapter: Adapter, directory: Path) -> None:
        sent = upload(adapter.results, directory)
        body = adapter.body()
        assert (sent.object.key, sent.object.size) == (KEY, len(body))
        assert sent.object.sha256 == sha256(body).hexdigest()
        assert sent.location.url == sent.location.sanitized == adapter.url
        assert sent.links_left_out == 0

    def test_those_of_before_are_replaced(self, adapter: Adapter, directory: Path) -> None:
        first = upload(adapter.results, directory)
        plant(directory, {"RUN3/more.txt": b"more"})
        again = upload(adapter.results, directory)
        assert unzipped(adapter.body()) == {**FILES, "RUN3/more.txt": b"more"}
        assert first.object.etag != again.object.etag

    def test_the_same_results_are_the_same_object(self, adapter: Adapter, directory: Path) -> None:
        first, again = upload(adapter.results, directory), upload(adapter.results, directory)
        assert (first.object.etag, first.object.sha256) == (again.object.etag, again.object.sha256)

    @pytest.mark.parametrize(
        ("start", "place"),
        [
            (".", "results"),
            (".", "results/"),
            (".", "link"),
            (".", "link/"),
            (".", "{}/link"),
            ("results", "."),
            ("results/RUN1", ".."),
            ("results", "../link"),
        ],
    )
    def test_wherever_the_directory_is_said_to_be(
        self,
        adapter: Adapter,
        directory: Path,
        monkeypatch: pytest.MonkeyPatch,
        start: str,
        place: str,
    ) -> None:
        link(directory.parent / "link", directory)
        monkeypatch.chdir(directory.parent / start)
        upload(adapter.results, Path(place.format(directory.parent)))
        assert unzipped(adapter.body()) == FILES

    @pytest.mark.parametrize(
        ("files", "error"),
        [
            ({}, SourceMissingError),
            ({"results/notes.txt": b"mine", "results/RUN.log": b"mine"}, SourceMissingError),
            ({"results/RUN1": None, "results/RUN2/deep": None}, SourceEmptyError),
            ({"results": b"a file"}, SourceInvalidError),
        ],
        ids=["no directory", "no RUN directory", "no file", "no directory but a file"],
    )
    def test_there_are_no_such_results(
        self, adapter: Adapter, tmp_path: Path, files: dict[str, bytes], error: type[Exception]
    ) -> None:
        plant(tmp_path, files)
        with pytest.raises(error) as raised:
            upload(adapter.results, tmp_path / "results")
        assert str(tmp_path) not in str(raised.value)

    def test_an_id_that_is_none(self, adapter: Adapter, directory: Path) -> None:
        with pytest.raises(InvalidRequestError, match="run_results needs a run_id"):
            adapter.results.upload_results(0, directory, PREFIX)


class TestDownloadUrl:
    @pytest.mark.parametrize(
        "form",
        [
            "s3://{bucket}/{key}",
            "https://{bucket}.s3.eu-west-1.amazonaws.com/{key}",
            "https://{bucket}.s3.amazonaws.com/{key}?X-Amz-Signature=abc",
            "https://{bucket}.s3.dualstack.eu-west-1.amazonaws.com/{key}",
            "https://s3-eu-west-1.amazonaws.com/{bucket}/{key}",
            "https://s3.cn-north-1.amazonaws.com.cn/{bucket}/{key}",
            "{own}?X-Amz-Signature=abc",
        ],
    )
    @pytest.mark.parametrize("kind", [str, UploadLocation])
    def test_of_a_url_of_any_form(
        self, adapter: Adapter, form: str, kind: type[str] | type[UploadLocation]
    ) -> None:
        url = form.format(bucket=adapter.bucket, key=KEY, own=adapter.url)
        location = adapter.results.get_download_url(kind(url))
        assert location.sanitized == adapter.url
        query = parse_qs(urlsplit(location.url).query)
        assert (len(query["X-Amz-Signature"][0]), query["X-Amz-Expires"]) == (64, ["86400"])
        assert dict(location.headers) == {}

    @pytest.mark.parametrize("url", ["", "/mnt/share/results.zip", "https://example.org/b/k"])
    def test_what_names_no_object(self, adapter: Adapter, url: str) -> None:
        with pytest.raises(InvalidRequestError, match="not the URL of an object in S3"):
            adapter.results.get_download_url(url)
