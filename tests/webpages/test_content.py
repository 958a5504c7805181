"""Pages of what artifacts contain."""

import pytest

from tests.webpages.site import PNG, Site

MEMBER = "/jobs/12/artifacts/run_results/member"


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
