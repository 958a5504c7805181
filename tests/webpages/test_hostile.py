"""Names and contents that would do harm are shown as text."""

import re
from hashlib import sha256

import pytest
from sqlalchemy import update

from artifact_pipeline.domain.model.attempts import Attempt, AttemptEnd
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.web.pages.routes import PAGES
from artifact_pipeline.worker.web.pages.templates import STATIC, environment
from tests.sql.status_steps import past_attempts
from tests.sql.steps import CREATED_AT
from tests.webpages.site import LOGS, RESULTS, Answer, Site, zip_of

SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(1)>"
TURNED = "RUN1/\u202egnp.exe"
LONG = f"RUN1/{'n' * 4_000}"
MEMBER = "/jobs/12/artifacts/run_results/member"


@pytest.fixture
def hostile(site: Site) -> Site:
    """A job whose names and contents are attacks."""
    site.history.job(12, [4], tags={SCRIPT: IMAGE})
    files = {
        f"RUN1/{IMAGE}.html": SCRIPT.encode(),
        TURNED: b"x",
        LONG: b"x",
        "RUN1/a.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        "RUN1/a.csv": f"{SCRIPT},b\n{IMAGE},2\n".encode(),
        "RUN1/a.json": f'{{"{SCRIPT}": "{IMAGE}"}}'.encode(),
    }
    site.store(RESULTS, zip_of(files))
    site.history.transfer(LOGS, reason=ReasonCode.SOURCE_MISSING)
    past = Attempt(
        number=1,
        began_at=None,
        ended_at=CREATED_AT,
        worker=f"{SCRIPT}:1:2",
        end=AttemptEnd.FAILED,
        error=IMAGE,
    )
    with site.history.engine.begin() as connection:
        connection.execute(update(TransferRow).values(past_attempts=past_attempts(past)))
    site.history.started()
    return site


def is_harmless(page: Answer) -> bool:
    """Whether no element of the page could run something."""
    for name, attributes in page.elements:
        scripts = name == "script" and not str(attributes.get("src")).startswith("/static/")
        acts = any(each.startswith("on") for each in attributes)
        leads = any(
            str(attributes.get(each) or "").lower().startswith(("javascript:", "data:"))
            for each in ("href", "src", "action")
        )
        if scripts or acts or leads or "style" in attributes or name in {"iframe", "object"}:
            return False
    return True


PATHS = (
    *("/", "/jobs", f"/jobs?tag={SCRIPT}", "/jobs/12", "/jobs/12/history", "/transfers"),
    *("/batches", "/batches/1", "/batches/new", "/quarantine", "/quarantine/source_missing"),
    *("/quarantine/source_missing/retry", "/system", "/history"),
    "/jobs/12/artifacts/run_results?run_id=4",
    f"/jobs/12/artifacts/run_results?run_id=4&contains={SCRIPT}",
    *(
        f"{MEMBER}?run_id=4&member={name}"
        for name in (f"RUN1/{IMAGE}.html", "RUN1/a.svg", "RUN1/a.csv", "RUN1/a.json", TURNED, LONG)
    ),
    *(f"/transfers?requested_by={SCRIPT}", f"/{SCRIPT}", f"/jobs/12?before_transfer={SCRIPT}"),
)


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_no_page_runs_anything(hostile: Site, path: str) -> None:
    # When
    page = hostile.get(path)
    # Then
    assert page.status in {200, 404, 422}
    assert is_harmless(page)
    policy = page.response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_hostile_pages_would_be_noticed(hostile: Site) -> None:
    page = hostile.get("/jobs")
    assert SCRIPT in page.text
    page.elements.append(("img", {"onerror": "alert(1)"}))
    assert not is_harmless(page)


def test_past_attempts_are_shown_as_text(hostile: Site) -> None:
    page = hostile.get("/jobs/12")
    assert f"attempt 1, on {SCRIPT}:1:2: {IMAGE}" in page.text


def test_names_are_shown_as_they_are(hostile: Site) -> None:
    page = hostile.get("/jobs/12/artifacts/run_results", run_id=4)
    assert f"RUN1/{IMAGE}.html" in page.text
    # Then a mark of direction is escaped, and a long name is shortened
    assert "RUN1/\\u202egnp.exe" in page.text
    assert "\u202e" not in page.text
    assert "n" * 1_000 not in page.text
    assert ("bdi", {}) in page.elements


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"RUN1/{IMAGE}.html", SCRIPT),
        ("RUN1/a.svg", "onload='alert(1)'"),
        ("RUN1/a.csv", IMAGE),
        ("RUN1/a.json", IMAGE),
    ],
)
def test_contents_are_shown_as_text(hostile: Site, name: str, words: str) -> None:
    assert words in hostile.get(MEMBER, run_id=4, member=name).text


def test_each_page_is_tried_here() -> None:
    tried = [re.compile(re.sub(r"\{\w+\}", r"[^/?]+", page.path) + r"(\?.*)?") for page in PAGES]
    untried = [
        page.path
        for page, form in zip(PAGES, tried, strict=True)
        if not any(form.fullmatch(path) for path in PATHS)
    ]
    # These return no page, or one that is tried by another action.
    others = ("/download", "/picture", "/discard", "/changes")
    assert [path for path in untried if not path.endswith(others)] == []


@pytest.mark.parametrize("name", environment().list_templates())
def test_no_template_has_a_script_or_a_style_of_its_own(name: str) -> None:
    loader = environment().loader
    assert loader is not None
    text = loader.get_source(environment(), name)[0]
    assert not re.search(r"\sstyle=|<style|<script(?! src)|\son\w+=|\|\s*safe\b", text)


def test_the_vendored_files_are_those_that_are_named() -> None:
    readme = (STATIC / "README.md").read_text()
    for path in STATIC.glob("*.js"):
        assert f"| `{sha256(path.read_bytes()).hexdigest()}` |" in readme, path
    assert "Zero-Clause BSD" in (STATIC / "htmx-LICENSE.txt").read_text()


def test_static_files_are_kept_by_browsers(site: Site) -> None:
    page = site.get("/")
    [style] = [str(each["href"]) for name, each in page.elements if each.get("rel") == "stylesheet"]
    served = site.get(style).response
    assert served.headers["content-type"].startswith("text/css")
    assert "immutable" in served.headers["cache-control"]


@pytest.mark.parametrize("name", ["README.md", "nothing.css", "..%2ftemplates%2fbase.html"])
def test_nothing_else_is_served(site: Site, name: str) -> None:
    assert site.get(f"/static/{name}").status == 404


LARGE = 2**63


@pytest.mark.parametrize(
    "path",
    [
        *(f"/batches/{LARGE}", f"/batches?before={LARGE}", f"/history?before={LARGE}"),
        *(f"/transfers?before={LARGE}", f"/jobs/12?before_transfer={LARGE}", "/jobs/12.5"),
        *(f"/quarantine/source_missing?before=1-{LARGE}", "/transfers?requested_by=%00"),
    ],
)
def test_a_value_that_sql_cannot_hold_has_a_page(hostile: Site, path: str) -> None:
    page = hostile.get(path)
    # Then its form says what is wrong, or a page of its own does
    assert page.status in {200, 404, 422}
    assert page.status > 200 or "before:" in page.text or "requested_by:" in page.text
    assert is_harmless(page)


def test_an_id_is_read_as_the_api_reads_it(hostile: Site) -> None:
    assert "/jobs/12" in hostile.get("/jobs/12.0").html
    assert hostile.get("/jobs/12.0").status == 200


def test_fields_that_sql_cannot_hold_are_refused(hostile: Site) -> None:
    assert hostile.post("/batches", tags="\0").status == 422
    assert hostile.post("/batches", user_ids=str(10**13)).status == 422
    assert hostile.post("/batches/1/pause", reason="\0").status == 422
