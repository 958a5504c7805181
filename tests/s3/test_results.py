"""Results that are stored without a worker: a contract over each adapter."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    SourceEmptyError,
    SourceInvalidError,
    SourceMissingError,
)
from artifact_pipeline.domain.fakes import InMemoryResults, InMemoryStore
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.ports.platform import IResultsRepository
from artifact_pipeline.worker.s3.results import S3ResultsRepository
from tests.buckets import create_bucket
from tests.domain.platform_classes import PlatformPrefix
from tests.s3.results_steps import FILES, PREFIX, body_of, upload
from tests.s3.steps import KEY, MIB, client_at
from tests.workspace.trees import link, plant, unzipped


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
        assert first.object.version != again.object.version

    def test_the_same_results_are_the_same_object(self, adapter: Adapter, directory: Path) -> None:
        first, again = upload(adapter.results, directory), upload(adapter.results, directory)
        assert (first.object.version, first.object.sha256) == (
            again.object.version,
            again.object.sha256,
        )

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
        ("start", "place"),
        [
            (".", "results/RUN4"),
            (".", "results/RUN4/"),
            (".", "{}/results/RUN4"),
            (".", "link"),
            (".", "RUN4"),
            ("results", "RUN4"),
            ("results/RUN4", "."),
            ("results/RUN4/deep", ".."),
        ],
    )
    def test_one_run_directory_is_taken_like_the_directory_that_holds_it(
        self,
        adapter: Adapter,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        start: str,
        place: str,
    ) -> None:
        # Given the results of one RUN, beside another
        run = {"RUN4/out.csv": b"1", "RUN4/deep/RUN/er.txt": b"2", "RUN4/empty": None}
        plant(tmp_path / "alone", run)
        plant(tmp_path / "results", {**run, "RUN5/out.csv": b"another"})
        link(tmp_path / "link", tmp_path / "results/RUN4")
        link(tmp_path / "RUN4", tmp_path / "results/RUN4")
        monkeypatch.chdir(tmp_path / start)
        # When it alone is uploaded
        sent = upload(adapter.results, Path(place.format(tmp_path)))
        # Then its entries are under its name
        stored = unzipped(adapter.body())
        assert {name: body for name, body in stored.items() if not name.endswith("/")} == {
            name: body for name, body in run.items() if body is not None
        }
        # And the bytes are those of a directory that holds just that
        assert upload(adapter.results, tmp_path / "alone").object.sha256 == sent.object.sha256

    def test_a_link_gives_a_run_its_name(self, adapter: Adapter, tmp_path: Path) -> None:
        plant(tmp_path / "scratch", {"out.csv": b"1"})
        link(tmp_path / "RUN4", tmp_path / "scratch")
        upload(adapter.results, tmp_path / "RUN4")
        assert unzipped(adapter.body()) == {"RUN4/out.csv": b"1"}

    def test_one_that_holds_nothing_but_runs_is_no_run_itself(
        self, adapter: Adapter, tmp_path: Path
    ) -> None:
        plant(tmp_path / "RUNS", FILES)
        upload(adapter.results, tmp_path / "RUNS")
        assert unzipped(adapter.body()) == FILES

    @pytest.mark.parametrize("other", ["notes.txt", "logs/notes.txt"])
    def test_nothing_in_a_run_is_left_out_for_a_run_in_it(
        self, adapter: Adapter, tmp_path: Path, other: str
    ) -> None:
        plant(tmp_path / "RUN4", {"RUN_files/a": b"1", other: b"2"})
        upload(adapter.results, tmp_path / "RUN4")
        assert unzipped(adapter.body()) == {"RUN4/RUN_files/a": b"1", f"RUN4/{other}": b"2"}

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

    @pytest.mark.parametrize(
        ("files", "error"),
        [
            ({"RUN4": None}, SourceEmptyError),
            ({"RUN4/deep": None}, SourceEmptyError),
            ({"RUN4": b"a file"}, SourceInvalidError),
            ({}, SourceMissingError),
        ],
        ids=["empty", "no file", "no directory but a file", "missing"],
    )
    def test_a_run_without_results(
        self,
        adapter: Adapter,
        tmp_path: Path,
        files: dict[str, bytes | None],
        error: type[Exception],
    ) -> None:
        plant(tmp_path, files)
        with pytest.raises(error) as raised:
            upload(adapter.results, tmp_path / "RUN4")
        assert str(tmp_path) not in str(raised.value)

    def test_a_prefix_of_the_platforms_class(self, adapter: Adapter, directory: Path) -> None:
        prefix: Any = PlatformPrefix(PREFIX.job_id, PREFIX.created_at)
        sent = adapter.results.upload_results(run_id=4, results_dir=directory, s3_prefix=prefix)
        assert (sent.object.key, unzipped(adapter.body())) == (KEY, FILES)

    def test_an_id_that_is_none(self, adapter: Adapter, directory: Path) -> None:
        with pytest.raises(InvalidRequestError, match="run_results needs a run_id"):
            adapter.results.upload_results(0, directory, PREFIX)


class TestZip:
    """The platform's code passes the zip itself."""

    def test_it_is_stored_as_it_is(self, adapter: Adapter) -> None:
        location = adapter.results.upload_results(
            job_id=12, run_id=4, zip_content=b"a zip", s3_prefix=PREFIX
        )
        assert (location.url, adapter.body()) == (adapter.url, b"a zip")

    def test_by_position_and_with_its_own_prefix(self, adapter: Adapter) -> None:
        prefix: Any = PlatformPrefix(PREFIX.job_id, PREFIX.created_at)
        adapter.results.upload_results(12, 4, b"first", prefix)
        # Another takes its place
        adapter.results.upload_results(12, 4, b"second", prefix)
        assert adapter.body() == b"second"

    def test_the_prefix_of_another_job_is_refused(self, adapter: Adapter) -> None:
        with pytest.raises(InvalidRequestError, match="is not of job 12: use the prefix"):
            adapter.results.upload_results(13, 4, b"a zip", PREFIX)

    def test_a_large_one_is_sent_in_parts(self, s3_client: S3Client, bucket: str) -> None:
        # Given
        results = S3ResultsRepository(
            bucket, s3_client=s3_client, multipart_threshold=5 * MIB, part_size=5 * MIB
        )
        content = bytes(range(256)) * (6 * MIB // 256)
        # When
        results.upload_results(12, 4, content, PREFIX)
        # Then
        assert body_of(s3_client, bucket) == content


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

    def test_as_the_platform_calls_it(self, adapter: Adapter) -> None:
        location = adapter.results.get_download_url(results_url=adapter.url, expiration_seconds=60)
        assert location.get_sanitized_url() == adapter.url
        assert parse_qs(urlsplit(location.url).query)["X-Amz-Expires"] == ["60"]

    @pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
    def test_an_expiry_that_s3_does_not_allow(self, adapter: Adapter, seconds: int) -> None:
        with pytest.raises(InvalidRequestError, match="expiration_seconds must be from 1"):
            adapter.results.get_download_url(adapter.url, expiration_seconds=seconds)

    @pytest.mark.parametrize("names", [(), ("location", "results_url")])
    def test_a_url_is_given_once(self, adapter: Adapter, names: tuple[str, ...]) -> None:
        arguments: dict[str, Any] = dict.fromkeys(names, adapter.url)
        with pytest.raises(InvalidRequestError, match="give location or results_url; got"):
            adapter.results.get_download_url(**arguments)

    @pytest.mark.parametrize("url", ["", "/mnt/share/results.zip", "https://example.org/b/k"])
    def test_what_names_no_object(self, adapter: Adapter, url: str) -> None:
        with pytest.raises(InvalidRequestError, match="not the URL of an object in S3"):
            adapter.results.get_download_url(url)
