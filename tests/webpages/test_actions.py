"""Forms that change something: each needs a token and a reason, and leads to a page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from artifact_pipeline.domain.model.batches import BatchFilter, BatchState
from artifact_pipeline.worker.web.pages.new_batch import filter_of
from tests.webpages.site import USER, Answer, Site

GROUP = "/quarantine/source_missing"
WHY = "the share is back"


@pytest.fixture
def failed(site: Site) -> Site:
    """Three uploads that were given up."""
    site.history.failed_configs(1, 2, 3)
    return site


@pytest.fixture
def read_only(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    with Site(sqlite_url, tmp_path, is_read_only=True) as made:
        made.history.failed_configs(1)
        yield made


def fields(page: Answer, *names: str) -> dict[str, str]:
    """The values of the page's hidden fields."""
    inputs = [attributes for name, attributes in page.elements if name == "input"]
    return {name: str(next(i["value"] for i in inputs if i.get("name") == name)) for name in names}


def where(answer: Answer) -> str:
    """Where the answer leads to."""
    assert answer.status == 303, answer.text
    return answer.response.headers["location"]


class TestQuarantine:
    def test_a_group_is_shown_with_what_to_do(self, failed: Site) -> None:
        page = failed.get("/quarantine")
        assert "3 transfers" in page.text
        assert "Is the file in the workspace by now?" in page.text
        assert {f"{GROUP}/retry", f"{GROUP}/discard"} <= page.links
        assert "/jobs/3#transfer-3" in failed.get(GROUP).links

    @pytest.mark.parametrize(
        ("action", "said"), [("retry", "3 are tried again"), ("discard", "3 are discarded")]
    )
    def test_a_group_is_changed_after_its_count_was_shown(
        self, failed: Site, action: str, said: str
    ) -> None:
        # Given
        page = failed.get(f"{GROUP}/{action}")
        assert f"{action.capitalize()} 3 transfers" in page.text
        # When
        answer = failed.post(f"{GROUP}/{action}", **fields(page, "token", "count"), reason=WHY)
        # Then
        page = failed.get(where(answer))
        assert said in page.text
        assert "The quarantine is empty" in page.text
        # And it is kept, with who and why
        history = failed.get("/history").text
        assert f"{USER} quarantine {action}" in history
        assert WHY in history

    def test_a_group_that_has_changed_since_is_left(self, failed: Site) -> None:
        # Given
        page = failed.get(f"{GROUP}/discard")
        failed.sources.adapters.quarantine.discard(_of_job(2))
        # When
        answer = failed.post(f"{GROUP}/discard", **fields(page, "token", "count"), reason=WHY)
        # Then the new count is shown
        assert answer.status == 409
        assert "Discard 2 transfers" in answer.text

    def test_a_forged_token_changes_nothing(self, failed: Site) -> None:
        answer = failed.post(f"{GROUP}/discard", token="e30.x", count=3, reason=WHY)
        assert answer.status == 409
        assert "3 transfers" in failed.get("/quarantine").text

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_a_reason_is_needed(self, failed: Site, reason: str) -> None:
        page = failed.get(f"{GROUP}/discard")
        answer = failed.post(f"{GROUP}/discard", **fields(page, "token", "count"), reason=reason)
        assert answer.status in {400, 422}
        assert "reason" in answer.text
        assert "3 transfers" in failed.get("/quarantine").text


def _of_job(job_id: int) -> BatchFilter:
    return filter_of({"job_ids": str(job_id)})


class TestBatches:
    def test_the_life_of_a_batch(self, failed: Site) -> None:
        # When an operator previews what failed
        snapshot = where(failed.post("/batches", reasons="source_missing"))
        page = failed.get(snapshot)
        # Then the members are shown, and nothing was asked for
        assert "3 members are frozen" in page.text
        assert "failed: 3" in page.text
        path = snapshot.partition("?")[0]
        # When it is started
        said = where(failed.post(f"{path}/start", mode="failed", rate="5", reason=WHY))
        # Then
        assert "was started with 3 members" in failed.get(said).text
        assert "at most 5.0 per second" in failed.get(path).text
        # And it is paused, changed, resumed and cancelled
        for action, more, words in (
            ("pause", {}, "The batch is paused."),
            ("change", {"rate": "0", "max_in_flight": "7"}, "at most 7 in flight"),
            ("change", {"bytes_per_second": "5MB", "priority": "high"}, "5.0 MB per second"),
            ("change", {"between": "22:00-06:00"}, "22:00-06:00 UTC"),
            ("resume", {}, "The batch continues."),
            ("cancel", {}, "The batch is cancelled"),
        ):
            said = where(failed.post(f"{path}/{action}", reason=WHY, **more))
            assert words in failed.get(said).text, action
        batch_id = int(path.rpartition("/")[2])
        assert failed.history.batches.get(batch_id).state is BatchState.CANCELLED
        # And no action is offered any more
        assert "Actions" not in failed.get(path).text
        assert "/batches/1" in failed.get("/batches").links

    def test_members_are_listed_by_their_outcome(self, failed: Site) -> None:
        batch = failed.history.started()
        failed.history.release(batch.id)
        page = failed.get(f"/batches/{batch.id}")
        assert f"/batches/{batch.id}?outcome=active#members" in page.links
        assert "Job 1" in failed.get(f"/batches/{batch.id}", outcome="active").text
        assert "No member fits" in failed.get(f"/batches/{batch.id}", outcome="done").text

    def test_the_report_is_a_file(self, failed: Site) -> None:
        batch = failed.history.started()
        [link] = [x for x in failed.get(f"/batches/{batch.id}").links if x.endswith("/report")]
        report = failed.get(link).response
        assert report.headers["content-type"].startswith("text/csv")
        assert len(report.text.splitlines()) == 4

    def test_a_filter_that_fits_nothing(self, failed: Site) -> None:
        answer = failed.post("/batches", job_ids="99")
        assert answer.status == 422
        assert "Nothing fits the criteria" in answer.text

    @pytest.mark.parametrize(
        ("form", "words"),
        [
            ({"job_ids": "1-x"}, "Jobs: '1-x' is no id and no range"),
            ({"job_ids": "9-1"}, "the range 9-1 ends before it begins"),
            ({"user_ids": "ada"}, "user_ids.0"),
            ({"reasons": "no_reason"}, "reasons.0"),
            ({"never_requested": "1", "states": "done"}, "was never requested"),
        ],
    )
    def test_a_wrong_criterion_is_named_and_the_form_kept(
        self, failed: Site, form: dict[str, str], words: str
    ) -> None:
        answer = failed.post("/batches", **form)
        assert answer.status == 422
        assert words in answer.text
        assert "New batch" in answer.text

    def test_what_its_state_forbids_is_refused(self, failed: Site) -> None:
        batch = failed.history.started()
        answer = failed.post(f"/batches/{batch.id}/resume", reason=WHY)
        assert answer.status == 400
        assert "it must be paused" in answer.text


def test_the_criteria_of_a_form() -> None:
    found = filter_of({"job_ids": "1-3, 7", "tags": "a=b, c", "kinds": "run_logs", "states": ""})
    assert [(each.first, each.last) for each in found.job_ids] == [(1, 3), (7, 7)]
    assert found.tags == ("a=b", "c")
    assert found.kinds == ("run_logs",)
    assert not found.states


ACTIONS = (
    *(f"{GROUP}/retry", f"{GROUP}/discard", "/batches"),
    *(f"/batches/1/{name}" for name in ("start", "pause", "resume", "change", "cancel")),
)


@pytest.mark.parametrize("path", ACTIONS)
class TestRefused:
    @pytest.mark.parametrize("token", ["", "9999999999.forged"])
    def test_without_the_token_of_a_page(self, failed: Site, path: str, token: str) -> None:
        answer = failed.post_as_is(path, csrf_token=token, reason=WHY)
        assert answer.status == 403
        assert "CSRF token" in answer.text

    def test_from_another_site(self, failed: Site, path: str) -> None:
        assert failed.post_from("https://evil.example", path).status == 403

    def test_of_a_user_who_may_only_read(self, read_only: Site, path: str) -> None:
        answer = read_only.post(path, reason=WHY)
        assert answer.status == 403
        assert "may only read" in answer.text


def test_who_may_only_read_is_offered_no_action(read_only: Site) -> None:
    for path in ("/", "/quarantine", GROUP, "/batches"):
        page = read_only.get(path)
        assert page.status == 200
        assert not [each for name, each in page.elements if each.get("method") == "post"]
        assert not {f"{GROUP}/retry", "/batches/new"} & page.links
        assert "(reads only)" in page.text


def test_a_notice_is_shown_only_if_it_is_ours(failed: Site) -> None:
    page = failed.get("/quarantine", done=f"{'x' * 43}.All is lost, call this number")
    assert "All is lost" not in page.text


def test_a_form_that_is_too_long_is_refused(failed: Site) -> None:
    answer = failed.post(f"{GROUP}/retry", reason="x" * 70_000)
    assert answer.status == 400
    assert "Field exceeded maximum size" in answer.text
