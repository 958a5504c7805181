"""Pages that show something, on a database and a store in files."""

from tests.webpages.site import CONFIG, Site


def test_the_overview_of_an_empty_pipeline(site: Site) -> None:
    page = site.get("/")
    assert page.status == 200, page.text
    print(page.text)
    assert "The quarantine is empty" in page.text


def test_job(site: Site) -> None:
    site.add_job()
    site.add_run()
    site.store(CONFIG, b"{}")
    page = site.get("/jobs/12")
    print(page.text)
    assert page.status == 200, page.text
    assert "job_config.json" in page.text
    assert site.get("/jobs").status == 200
    assert site.get("/jobs/99").status == 404
    assert site.get("/x").status == 404
