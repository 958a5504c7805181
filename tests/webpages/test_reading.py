"""Pages that show something, on a database and a store in files."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from artifact_pipeline.domain.maintenance.pipeline_status import Phase
from artifact_pipeline.domain.maintenance.problems import ProblemCode
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.tables import ArtifactRow, TransferRow
from artifact_pipeline.worker.web.api.models.overview import NeedsHand
from artifact_pipeline.worker.web.pages.formats import words
from artifact_pipeline.worker.web.pages.links import Links
from artifact_pipeline.worker.web.services import overviews
from tests.sql.steps import HOUR, Statements
from tests.webpages.site import CONFIG, INPUT, Site


class TestOverview:
    def test_an_idle_pipeline(self, site: Site) -> None:
        page = site.get("/")
        assert page.status == 200
        assert "The quarantine is empty" in page.text
        assert "No transfer waits for a retry" in page.text
        # Then what does not answer is said, and nothing is claimed to be well
        assert "Nothing is known of the broker" in page.text
        assert "Nothing needs an operator" not in page.text

    def test_each_number_leads_to_the_list_behind_it(self, job: Site) -> None:
        # Given one that is due, and one that runs
        job.history.transfer(CONFIG, TransferState.WAITING)
        job.history.transfer(INPUT, TransferState.RUNNING)
        # When
        page = job.get("/")
        # Then
        assert {"/quarantine", "/quarantine/source_missing"} <= page.links
        due = "/transfers?queue=configs&phase=due"
        assert due in page.links
        assert "upload of job config" in job.get(due).text
        assert "upload of job input" not in job.get(due).text

    def test_what_was_given_up_lately_is_listed(self, job: Site) -> None:
        page = job.get("/")
        for of in ("&ended_within=3600", "&ended_within=604800"):
            href = f"/transfers?state=quarantined{of}"
            assert href in page.links
            assert "/jobs/12#transfer-1" in job.get(href).links
        assert "/transfers?state=quarantined&reason=source_missing&ended_within=3600" in page.links

    @pytest.mark.parametrize("code", list(ProblemCode))
    @pytest.mark.parametrize("queue", [None, "configs.host-a", "upkeep"])
    def test_a_problem_leads_to_a_page_that_has_it(
        self, site: Site, code: ProblemCode, queue: str | None
    ) -> None:
        # Given
        problem = NeedsHand(code=code, is_error=True, what="", why="", fix="", queue=queue)
        # When
        href = Links().problem(problem)
        # Then no page has events, and no list the queue of the upkeep
        if href is None:
            assert code.startswith("events_") or queue in (None, "upkeep")
            return
        path, _, section = href.partition("#")
        page = site.get(path)
        assert page.status == 200
        if section:
            assert any(values.get("id") == section for _, values in page.elements)

    def test_the_charts_are_drawings_with_texts_and_a_table(self, job: Site) -> None:
        # Given a transfer that was done just now
        job.history.transfer(CONFIG, TransferState.DONE, finished_at=datetime.now(UTC))
        # When
        page = job.get("/", span="day")
        # Then
        names = [name for name, _ in page.elements]
        assert names.count("svg") >= 3
        assert names.count("desc") == 3
        assert "1 in all, at most 1 at once" in page.text
        assert "The same as a table" in page.text

    def test_too_many_who_look_on_are_refused(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(overviews, "_MOST_WATCHING", 0)
        page = site.get("/changes")
        assert page.status == 503
        assert "close some" in page.text

    @pytest.mark.parametrize("span", ["hour", "day", "week", "<script>"])
    def test_any_span_has_a_page(self, site: Site, span: str) -> None:
        assert site.get("/", span=span).status == 200

    def test_the_part_that_changes_is_sent_as_events(self, site: Site) -> None:
        # Given a server that is about to end
        site.service.overviews.stop()
        # When
        sent = site.get("/changes", span="day")
        # Then
        assert sent.response.headers["content-type"].startswith("text/event-stream")
        assert sent.response.headers["x-accel-buffering"] == "no"
        [event] = sent.html.rstrip().split("\n\n")
        lines = [line.removeprefix("data: ") for line in event.splitlines()]
        assert lines[0].startswith('<div id="overview"')
        assert "/?span=day" in lines[0]
        page = site.get("/", span="day").html
        assert set(lines[1:6]) - {""} <= set(page.splitlines())


class TestJobs:
    def test_the_newest_are_listed(self, job: Site) -> None:
        page = job.get("/jobs")
        assert "/jobs/12" in page.links
        assert "model=seir" in page.text

    @pytest.mark.parametrize(
        ("query", "is_found"),
        [
            *(({"job_id": "12"}, True), ({"job_id": "13"}, False)),
            *(({"run_id": "4"}, True), ({"user_id": "7"}, True), ({"user_id": "8"}, False)),
            *(({"tag": "model=seir"}, True), ({"tag": "model=sir"}, False)),
        ],
    )
    def test_the_search(self, job: Site, query: dict[str, str], *, is_found: bool) -> None:
        assert ("/jobs/12" in job.get("/jobs", **query).links) is is_found

    def test_what_is_no_number_is_named(self, job: Site) -> None:
        assert "user_id: Input should be a valid integer" in job.get("/jobs", user_id="x").text

    def test_a_job_shows_its_directory_and_transfers(self, job: Site) -> None:
        page = job.get("/jobs/12")
        for said in (
            *("jobs/12/2025/10/23/211500/", "job_config.json", "run_4_results.zip"),
            *("quarantined", "source missing", "transfer 1", "12 bytes"),
        ):
            assert said in page.text
        # And what was stored on another day than the job was created is marked
        assert "late" in page.text
        assert "/jobs/12/artifacts/run_results?run_id=4" in page.links

    def test_what_was_stored_in_time_is_not_marked(self, job: Site) -> None:
        with job.engine.begin() as connection:
            soon = datetime(2025, 10, 23, 21, 16, tzinfo=UTC)
            connection.execute(update(ArtifactRow).values(stored_at=soon))
        assert " late" not in job.get("/jobs/12").text

    def test_its_history(self, job: Site) -> None:
        assert "upload of run logs, run 4" in job.get("/jobs/12/history").text

    @pytest.mark.parametrize("path", ["/jobs/99", "/jobs/x", "/jobs/12/artifacts/nothing", "/no"])
    def test_what_does_not_exist(self, job: Site, path: str) -> None:
        page = job.get(path)
        assert page.status == 404
        assert "To the overview" in page.text


class TestTransfers:
    @pytest.mark.parametrize(
        ("query", "is_found"),
        [
            *(({"state": "quarantined"}, True), ({"state": "done"}, False)),
            *(({"phase": "due"}, False), ({"queue": "results"}, True), ({"queue": "x"}, False)),
            *(({"ended_within": "60"}, True), ({"active": "true"}, False)),
            ({"reason": "source_missing", "kind": "run_logs", "direction": "upload"}, True),
        ],
    )
    def test_the_filters(self, job: Site, query: dict[str, str], *, is_found: bool) -> None:
        page = job.get("/transfers", **query)
        assert page.status == 200
        assert ("/jobs/12#transfer-1" in page.links) is is_found

    def test_each_phase_has_its_own(self, site: Site) -> None:
        # Given a transfer in each phase
        later, earlier = datetime.now(UTC) + HOUR, datetime.now(UTC) - HOUR
        missing = ReasonCode.SOURCE_MISSING
        phases: dict[Phase, tuple[ArtifactKind, dict[str, Any]]] = {
            Phase.DUE: (ArtifactKind.JOB_CONFIG, {"next_attempt_at": earlier}),
            Phase.SCHEDULED: (ArtifactKind.JOB_INPUT, {"next_attempt_at": later}),
            Phase.RETRY: (
                ArtifactKind.RUN_CONFIG,
                {"next_attempt_at": later, "reason_code": missing},
            ),
            Phase.RUNNING: (ArtifactKind.RUN_LOGS, {"lease_expires_at": later}),
            Phase.EXPIRED: (ArtifactKind.RUN_RESULTS, {"lease_expires_at": earlier}),
        }
        site.history.job(12, [4])
        for phase, (kind, values) in phases.items():
            is_held = phase in {Phase.RUNNING, Phase.EXPIRED}
            state = TransferState.RUNNING if is_held else TransferState.WAITING
            site.history.transfer(Artifact(kind, 12, 4 if kind.belongs_to_run else None), state)
            changed = update(TransferRow).where(TransferRow.kind == kind).values(**values)
            with site.engine.begin() as connection:
                connection.execute(changed)
        # Then each list has that one alone
        for phase, (kind, _) in phases.items():
            page = site.get("/transfers", phase=phase)
            found = [each for each in ArtifactKind if f"upload of {words(each)}" in page.text]
            assert found == [kind], phase

    def test_a_long_list_has_pages(self, site: Site) -> None:
        # Given more than a page shows
        site.history.failed_configs(*range(1, 53))
        # When
        page = site.get("/transfers", state="quarantined")
        # Then
        [older] = [link for link in page.links if "before=" in link]
        assert "/jobs/52#transfer-52" in page.links
        assert {link for link in site.get(older).links if "#" in link} == {
            *("/jobs/1#transfer-1", "/jobs/2#transfer-2"),
            "#content",
        }

    def test_a_wrong_filter_is_named(self, site: Site) -> None:
        assert "phase: Input should be 'due'" in site.get("/transfers", phase="x").text


_STATEMENTS = {
    "/transfers?state=quarantined": 2,
    "/jobs": 3,
    "/jobs/12": 9,
    "/jobs/12/history": 3,
    "/jobs/12/artifacts/job_config": 2,
    "/batches": 1,
    "/batches/new": 0,
    "/quarantine/source_missing": 4,
    "/quarantine/source_missing/retry": 4,
    "/history": 1,
}


def test_each_page_costs_few_statements(job: Site) -> None:
    # Given more rows than a page of a list shows
    job.history.failed_configs(*range(101, 160))
    for path in _STATEMENTS:
        job.get(path)
    seen = Statements(job.engine)
    # When
    found = {}
    for path in _STATEMENTS:
        seen.seen.clear()
        assert job.get(path).status == 200
        found[path] = len(seen.seen)
    # Then
    assert {path: n for path, n in found.items() if n > _STATEMENTS[path]} == {}


def test_pages_of_the_system_and_the_history(site: Site) -> None:
    page = site.get("/system")
    assert "ARTIFACTS_DATABASE_URL" in page.text
    assert "No transfer is running" in page.text
    assert "Nothing was done yet" in site.get("/history").text


def test_below_a_path_of_another_application(sqlite_url: str, tmp_path: Path) -> None:
    # Given
    with Site(sqlite_url, tmp_path, root="/ops") as site:
        site.history.failed_configs(1)
        # When
        page = site.get("/ops/quarantine")
        # Then each address is below that path
        own = {link for link in page.links if not link.startswith("#")}
        assert {link for link in own if not link.startswith("/ops/")} == set()
        sources = [str(each["src"]) for name, each in page.elements if name == "script"]
        assert site.get(sources[0]).status == 200
        # And so is that to which a form leads
        form = site.get("/ops/quarantine/source_missing/discard")
        fields = {each.get("name"): each.get("value") for _, each in form.elements}
        answer = site.post(
            "/ops/quarantine/source_missing/discard",
            token=fields["token"],
            count="1",
            reason="none",
        )
        assert answer.response.headers["location"].startswith("/ops/quarantine?done=")
