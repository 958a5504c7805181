"""The pages in a browser, over real workers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from tests.chromium import browsing
from tests.webpages.deployed import (
    ATTACK,
    EVE,
    IMAGE,
    SCRIPT,
    Deployed,
    deployed,
    wait_until,
)
from tests.webpages.late import late
from tests.webpages.site import Site, zip_of
from tests.webpages.visitor import Visitor

pytestmark = pytest.mark.processes

RESULTS = "/jobs/12/artifacts/run_results"
MEMBER = f"{RESULTS}/member?run_id=4&member=RUN1%2F"
GROUP = "/quarantine/source_missing"
PAGES = {
    "overview": "/",
    "transfers": "/transfers?state=quarantined",
    "jobs": "/jobs",
    "job": "/jobs/12",
    "job-history": "/jobs/12/history",
    "json": "/jobs/12/artifacts/job_config",
    "zip": f"{RESULTS}?run_id=4",
    "table": f"{MEMBER}summary.csv",
    "picture": f"{MEMBER}state.png",
    "attack": f"{MEMBER}{ATTACK}",
    "batches": "/batches",
    "new-batch": "/batches/new",
    "snapshot": "/batches/1",
    "batch": "/batches/2",
    "quarantine": "/quarantine",
    "group": GROUP,
    "retry": f"{GROUP}/retry",
    "system": "/system",
    "history": "/history",
    "nothing": "/nothing",
}
# No layout depends on the scheme, so all four are for pictures alone.
LOOKS = [(width, scheme) for width in (1280, 360) for scheme in ("light", "dark")]
EXAMINED: dict[tuple[int, str], tuple[str, ...]] = {
    (1280, "light"): (),
    (360, "dark"): ("color-contrast", "scrollable-region-focusable"),
}
"""Where axe looks for what keeps people out, and the rules: the first has all that a page has, the
second what depends on the scheme and the width. It takes as long as all else of a page.
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("web")) as here:
        yield here


@pytest.fixture(scope="module")
def ada(here: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with browsing(tmp_path_factory.mktemp("chromium")) as browser:
        yield Visitor(browser, here)


class TestLogin:
    @pytest.mark.parametrize("login", [None, ("ada", "wrong"), ("nobody", "a-secret")])
    @pytest.mark.parametrize("path", ["/", "/jobs/12", "/static/web.css", f"{RESULTS}/download"])
    def test_nobody_else_sees_anything(
        self, here: Deployed, login: tuple[str, str] | None, path: str
    ) -> None:
        answer = here.get(path, login)
        assert answer.status_code == 401
        assert "WWW-Authenticate" in answer.headers

    def test_a_form_without_its_token_is_refused(self, here: Deployed) -> None:
        answer = here.post(f"{GROUP}/discard", reason="none", token="x", count="3")
        assert answer.status_code == 403
        assert here.has("/quarantine", "3 transfers")

    def test_who_may_only_read_is_offered_no_action(self, here: Deployed) -> None:
        page = here.get("/quarantine", EVE).text
        assert "(reads only)" in page
        assert "Discard the group" not in page


class TestLife:
    """In this order: what one leaves behind, the next one looks at."""

    def test_the_overview_counts_an_upload_without_a_reload(
        self, here: Deployed, ada: Visitor
    ) -> None:
        # Given the overview
        ada.go("/")
        chrome = ada.browser.chrome
        chrome.execute_script("window.mark = 1")
        # And no asking for it anew, as the page does each 30 s
        chrome.execute_script(
            "document.addEventListener('htmx:before:request', (event) => {"
            " if (!event.detail.ctx.request.action.includes('/changes')) event.preventDefault() })"
        )
        done = "return document.querySelector('[aria-label^=Sums] tbody td').textContent.trim()"
        before = int(chrome.execute_script(done))
        # When a file is uploaded
        file = Artifact(ArtifactKind.JOB_INPUT, 13)
        here.write(file, zip_of({"population.csv": b"id,age\n1,34\n"}))
        here.upload(file)
        # Then it is counted on the same page, which has asked for nothing but the events
        ada.browser.wait_until(lambda: chrome.execute_script(done) == str(before + 1))
        assert chrome.execute_script("return window.mark") == 1
        asked = "return performance.getEntriesByType('resource').map((each) => each.name)"
        urls = chrome.execute_script(asked)
        assert not [url for url in urls if url.partition("?")[0] == f"{here.url}/"]

    def test_the_overview_gets_events_although_their_script_comes_late(
        self, ada: Visitor, sqlite_url: str, tmp_path: Path
    ) -> None:
        # Given pages whose script for events comes half a second after all else
        with Site(sqlite_url, tmp_path) as site, late(site.app, "/hx-sse.min.js", 0.5) as served:
            # When
            ada.browser.chrome.get(served.url)
            # Then
            ada.browser.wait_until(lambda: "/changes" in served.asked)
            # And nothing is open when its server ends
            ada.go("/history")

    def test_an_upload_appears_without_a_reload(self, here: Deployed, ada: Visitor) -> None:
        # Given a job without a config, in the browser
        ada.go("/jobs/13")
        ada.browser.wait_for("quarantined")
        assert "job_config.json" not in ada.browser.text
        chrome = ada.browser.chrome
        chrome.execute_script("window.mark = 1")
        # When it is uploaded
        config = Artifact(ArtifactKind.JOB_CONFIG, 13)
        here.write(config, b"{}")
        here.upload(config)
        # Then it is shown, on the same page
        ada.browser.wait_for("job_config.json")
        assert chrome.execute_script("return window.mark") == 1

    def test_a_table_that_was_opened_stays_open(self, ada: Visitor) -> None:
        # Given
        ada.go("/")
        shown = "return document.getElementById('overview').querySelector('.live time').textContent"
        before = ada.browser.chrome.execute_script(shown)
        ada.open("The same as a table")
        # When the page has been renewed
        WebDriverWait(ada.browser.chrome, 30).until(
            lambda chrome: chrome.execute_script(shown) != before
        )
        # Then
        opened = ada.browser.chrome.find_elements(By.CSS_SELECTOR, "details[open]")
        assert len(opened) == 1

    def test_attacks_are_shown_and_do_nothing(self, ada: Visitor) -> None:
        ada.go("/jobs/13")
        assert f"{SCRIPT}={IMAGE}" in ada.browser.text
        ada.go(f"{RESULTS}?run_id=4")
        assert f"RUN1/{ATTACK}" in ada.browser.text
        assert "RUN1/\\u202egnp.exe" in ada.browser.text
        # When its file is looked at
        ada.follow(ATTACK)
        assert SCRIPT in ada.browser.text
        assert not ada.was_hurt
        # And a drawing that would run a script
        ada.go(f"{MEMBER}drawing.svg")
        assert "window.hurt=1" in ada.browser.text
        assert not ada.was_hurt

    def test_a_picture_is_drawn(self, ada: Visitor) -> None:
        ada.go(f"{MEMBER}state.png")
        width = "return document.querySelector('img.picture').naturalWidth"
        WebDriverWait(ada.browser.chrome, 30).until(lambda c: c.execute_script(width) > 0)

    def test_a_download_has_a_url_of_the_store_for_a_short_time(self, here: Deployed) -> None:
        answer = here.get("/jobs/12/artifacts/job_config/download")
        assert answer.status_code == 303
        expires = re.search(r"X-Amz-Expires=(\d+)", answer.headers["Location"])
        assert expires is not None
        assert int(expires[1]) <= 900

    def test_a_batch_by_its_forms(self, ada: Visitor) -> None:
        # Given a snapshot that is left alone
        ada.go("/batches")
        ada.follow("New batch")
        ada.choose("reasons", "source_missing")
        ada.press("Preview")
        ada.browser.wait_for("3 members are frozen")
        # When another one is started
        ada.go("/batches/new")
        ada.write("job_ids", "13")
        ada.choose("states", "quarantined")
        ada.press("Preview")
        ada.browser.wait_for("1 members are frozen")
        ada.write("rate", "0.001")
        ada.write("reason", "the share is back")
        ada.press("Start the batch")
        ada.browser.wait_for("was started with 1 members")
        # Then it is paused, changed, resumed and cancelled
        for name, words in (
            ("Pause", "The batch is paused."),
            ("Change the pace", "The pace was changed."),
            ("Resume", "The batch continues."),
            ("Cancel the batch", "The batch is cancelled"),
        ):
            ada.act("/batches/2", name, "a try", words)

    def test_a_group_is_retried_and_discarded(self, here: Deployed, ada: Visitor) -> None:
        # Given that the file of one is there by now
        here.write(Artifact(ArtifactKind.RUN_LOGS, 12, 4), f"day 0\n{SCRIPT}\n".encode())
        # When
        ada.go("/quarantine")
        ada.follow("Retry the group")
        ada.write("reason", "the logs are there")
        ada.press("Retry 3")
        # Then that one is stored, and the others are given up again
        ada.browser.wait_for("3 are tried again")
        wait_until(lambda: here.has("/quarantine", "2 transfers"))
        wait_until(lambda: here.has("/jobs/12/artifacts/run_logs?run_id=4", "day 0"))
        # When the others are discarded
        ada.go(f"{GROUP}/discard")
        ada.browser.wait_for("Discard 2 transfers")
        ada.write("reason", "not needed")
        ada.press("Discard 2")
        ada.browser.wait_for("2 are discarded")
        assert "The quarantine is empty" in ada.browser.text

    def test_the_history_has_it_all(self, ada: Visitor) -> None:
        ada.go("/history")
        for words in ("quarantine retry", "batch pause", "batch cancel", "not needed", "ada"):
            assert words in ada.browser.text

    def test_a_killed_worker_is_seen_without_a_reload(self, ada: Visitor) -> None:
        # Given one that was killed at the beginning, and that is taken for down after a minute
        ada.go("/system")
        found = WebDriverWait(ada.browser.chrome, 120)
        found.until(lambda _: re.search(r"worker1@\S+ (\S+ )?missing", _line(ada.browser.text)))
        assert re.search(r"worker2@\S+ (\S+ )?up", _line(ada.browser.text))

    def test_there_is_something_to_look_at(self, here: Deployed) -> None:
        """Leave a transfer that was given up, for the pages below."""
        here.upload(Artifact(ArtifactKind.RUN_LOGS, 12, 5))
        wait_until(lambda: here.has("/quarantine", "1 transfer"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_at_each_width_and_in_each_scheme(ada: Visitor, name: str) -> None:
    # When
    ada.go(PAGES[name])
    for width, scheme in LOOKS if ada.browser.keeps_pictures else EXAMINED:
        ada.browser.show(width, scheme)
        # Then it does not scroll sideways, and is accessible
        assert not ada.browser.is_wider_than_the_window(), (width, scheme)
        if (width, scheme) in EXAMINED:
            rules = EXAMINED[width, scheme]
            assert ada.browser.violations(rules) == [], (width, scheme)
        ada.browser.photograph_page(f"web-{name}-{width}-{scheme}", width)
    # And the keyboard reaches all that can be used
    unreachable = ada.browser.chrome.execute_script(
        "return [...document.querySelectorAll('a, button, input:not([type=hidden]), summary')]"
        ".filter((each) => each.tabIndex < 0).length"
    )
    assert unreachable == 0
    # And the browser has blocked nothing
    expected = {"/nothing"} if name == "nothing" else set()
    assert ada.browser.complaints(expected) == []


def _line(text: str) -> str:
    return " ".join(text.split())
