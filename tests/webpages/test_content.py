"""Pages of what artifacts contain."""

import threading

import pytest

from artifact_pipeline.worker.web.api.models.content import Preview
from artifact_pipeline.worker.web.pages import artifacts
from artifact_pipeline.worker.web.pages.previews.preview import Shown, shown
from tests.webpages.site import PNG, RESULTS, Site, zip_of

MEMBER = "/jobs/12/artifacts/run_results/member"
MOST_BYTES = 2 * 2**20
"""Of a page, whatever a file contains."""


class TestContent:
    def test_json_is_indented(self, job: Site) -> None:
        page = job.get("/jobs/12/artifacts/job_config")
        assert '"days": 180' in page.text

    def test_a_zip_lists_what_is_in_it(self, job: Site) -> None:
        page = job.get("/jobs/12/artifacts/run_results", run_id=4)
        assert "2 entries" in page.text
        assert f"{MEMBER}?run_id=4&member=RUN1%2Fa.csv" in page.links

    def test_names_are_searched(self, job: Site) -> None:
        page = job.get("/jobs/12/artifacts/run_results", run_id=4, contains="csv")
        assert "a.csv" in page.text
        assert "p.png" not in page.text

    def test_csv_is_a_table_and_a_plot(self, job: Site) -> None:
        page = job.get(MEMBER, run_id=4, member="RUN1/a.csv")
        assert "Numeric columns over day" in page.text
        assert "polyline" in [name for name, _ in page.elements]
        assert "2 of 2 rows" in page.text

    def test_no_content_makes_a_large_page(self, site: Site) -> None:
        # Given contents that would grow with their square, or at each character
        site.history.job(12, [4])
        files = {
            "wide.csv": ",".join(["a"] * 65_535) + "\n" + "1\n" * 65_536,
            "quotes.csv": '"",' * 80_000,
            "line.csv": f"{'<' * 100_000},{'<' * 100_000}\n1,2\n2,3\n",
            "deep.json": "[" * 100_000,
            "line.json": '{"a":' * 50_000,
            "quotes.txt": '"' * 1_000_000,
        }
        names = {f"{n:03}{'n' * 60_000}": b"" for n in range(12)}
        content = {name: text.encode() for name, text in files.items()}
        site.store(RESULTS, zip_of({**content, **names}))
        # When
        pages = [site.get(MEMBER, run_id=4, member=name) for name in files]
        listed = site.get("/jobs/12/artifacts/run_results", run_id=4)
        # Then
        assert {page.status for page in (*pages, listed)} == {200}
        assert max(len(page.response.content) for page in (*pages, listed)) < MOST_BYTES
        assert "only its beginning is shown" in pages[-1].text
        # Then further names are on a further page
        [more] = [link for link in listed.links if "after=" in link]
        assert "002nnn" in site.get(more).text

    def test_a_long_preview_lets_others_in(
        self, job: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        threads: set[str] = set()

        def seen(preview: Preview) -> Shown:
            threads.add(threading.current_thread().name)
            return shown(preview)

        monkeypatch.setattr(artifacts, "shown", seen)
        # When
        job.get(MEMBER, run_id=4, member="RUN1/a.csv")
        job.get("/jobs/12/artifacts/job_config")
        # Then
        assert threads
        assert threading.main_thread().name not in threads

    def test_a_picture_is_served_alone_and_sandboxed(self, job: Site) -> None:
        page = job.get(MEMBER, run_id=4, member="RUN1/p.png")
        [picture] = [attributes["src"] for name, attributes in page.elements if name == "img"]
        served = job.get(str(picture)).response
        assert (served.headers["content-type"], served.content) == ("image/png", PNG)
        policy = served.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'")
        assert served.headers["x-content-type-options"] == "nosniff"

    def test_other_bytes_are_never_served_as_a_picture(self, job: Site) -> None:
        assert job.get(f"{MEMBER}/picture", run_id=4, member="RUN1/a.csv").status == 400

    def test_a_download_leads_to_where_the_bytes_are(self, job: Site) -> None:
        answer = job.get("/jobs/12/artifacts/job_config/download")
        assert answer.status == 303
        content = job.get(answer.response.headers["location"]).response
        assert content.content == b'{"days":180}'
        assert content.headers["content-disposition"].startswith("attachment")

    def test_a_member_is_downloaded_as_a_file(self, job: Site) -> None:
        page = job.get("/jobs/12/artifacts/run_results", run_id=4)
        [link] = [each for each in page.links if "/api/" in each and "a.csv" in each]
        content = job.get(link).response
        assert content.content == b"day,x\n1,2\n2,9\n"
        assert content.headers["content-disposition"].startswith("attachment")

    @pytest.mark.parametrize(
        ("path", "status", "words"),
        [
            ("/jobs/12/artifacts/job_input", 404, "job_input"),
            (f"{MEMBER}?run_id=4&member=nothing", 404, "the zip has no file 'nothing'"),
            ("/jobs/12/artifacts/run_results", 400, "run"),
        ],
    )
    def test_what_is_not_there_is_said(self, job: Site, path: str, status: int, words: str) -> None:
        page = job.get(path)
        assert page.status == status
        assert words in page.text
