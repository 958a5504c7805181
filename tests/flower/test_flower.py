"""What operators see in Flower, by its API and in a browser."""

import os
import signal
from collections.abc import Iterator

import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.tasks.routing import BATCHES, CONFIGS, RESULTS, UNROUTED, UPKEEP
from tests.chromium import Browser, browsing
from tests.flower.deployed import DONE, FAILED, OF_A_BATCH, WAITING, Deployed, deployed

JOB, RUN = "{'job_id': 12}", "{'job_id': 12, 'run_id': 4}"
_WHOLE_CELLS = """
const headings = [...document.querySelectorAll('#tasks-table thead th')];
const column = headings.findIndex((each) => each.textContent.trim().toLowerCase() === arguments[0]);
return [...document.querySelectorAll(`#tasks-table tbody td:nth-child(${column + 1})`)]
    .filter((cell) => cell.scrollWidth <= cell.clientWidth).map((cell) => cell.textContent);
"""
_PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deployed(tmp_path_factory.mktemp("flower")) as here:
        yield here


class TestApi:
    @pytest.mark.parametrize(
        ("task_id", "shown", "said"),
        [
            (DONE, ("artifacts.upload_job_config", "SUCCESS", JOB), "'size': 24"),
            (OF_A_BATCH, ("artifacts.upload_run_results", "SUCCESS", RUN), "'state': 'done'"),
            (FAILED, ("artifacts.upload_job_config", "FAILURE", "{'job_id': 99}"), "unknown_job: "),
            (WAITING, ("artifacts.upload_run_logs", "RETRY", RUN), "workspace_unavailable: "),
        ],
        ids=["done", "of a batch", "failed", "waiting"],
    )
    def test_a_task_says_all_that_there_is(
        self, here: Deployed, task_id: str, shown: tuple[str, str, str], said: str
    ) -> None:
        task = here.get("/api/tasks")[task_id]
        assert (task["name"], task["state"], task["kwargs"]) == shown
        assert said in f"{task['result']} {task['exception']}"

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("kwargs:job_id=99", {FAILED}),
            ("kwargs:job_id=12 state:SUCCESS", {DONE, OF_A_BATCH}),
            ("batch-7-", {OF_A_BATCH}),
            ("user-42-", {DONE}),
            ("state:RETRY", {WAITING}),
        ],
    )
    def test_what_is_searched_for_is_found(
        self, here: Deployed, words: str, found: set[str]
    ) -> None:
        assert set(here.get("/api/tasks", search=words)) == found

    def test_upkeep_is_not_among_the_tasks(self, here: Deployed) -> None:
        names = [task["name"] for task in here.get("/api/tasks").values()]
        assert len(names) > 10
        assert all(name.startswith("artifacts.upload_") for name in names)

    def test_workers_and_their_queues_are_right(self, here: Deployed) -> None:
        workers = here.get("/api/workers", refresh="1")
        queues = {
            name.split("@")[0]: {queue["name"] for queue in worker["active_queues"]}
            for name, worker in workers.items()
        }
        assert queues == {
            "configs": {CONFIGS, UNROUTED},
            "results": {RESULTS},
            "batches": {BATCHES},
            "upkeep": {UPKEEP},
        }

    def test_the_lengths_of_the_queues_are_shown(self, here: Deployed) -> None:
        # Given a worker that takes nothing, but for what it has asked for already
        worker = next(each for each in here.workers if each.name == "upkeep")
        os.killpg(worker.pid, signal.SIGSTOP)
        for number in range(3):
            here.send("artifacts.dispatch", UPKEEP, f"dispatch-{number}")
        # When
        answer = here.get("/api/queues/length")["active_queues"]
        os.killpg(worker.pid, signal.SIGCONT)
        # Then
        lengths = {queue["name"]: queue["messages"] for queue in answer}
        assert lengths.pop(UPKEEP) in {2, 3}
        assert lengths == {CONFIGS: 0, RESULTS: 0, BATCHES: 0, UNROUTED: 0}

    def test_metrics_and_health_are_open(self, here: Deployed) -> None:
        metrics = requests.get(f"{here.bare_url}/metrics", timeout=30).text
        assert 'task="artifacts.upload_job_config",type="task-failed",worker="configs@' in metrics
        assert requests.get(f"{here.bare_url}/healthcheck", timeout=30).text == "OK"

    @pytest.mark.parametrize("path", ["/api/tasks", "/api/workers", "/api/queues/length", "/tasks"])
    def test_the_rest_asks_for_a_password(self, here: Deployed, path: str) -> None:
        assert requests.get(f"{here.bare_url}{path}", timeout=30).status_code == 401
        wrong = ("dev", "wrong")
        assert requests.get(here.bare_url + path, auth=wrong, timeout=30).status_code == 401

    @pytest.mark.parametrize(
        "path",
        [
            "/api/worker/shutdown/configs@localhost",
            f"/api/task/revoke/{WAITING}",
            "/api/task/send-task/artifacts.upload_job_config",
        ],
    )
    def test_nothing_can_be_changed(self, here: Deployed, path: str) -> None:
        answer = requests.post(here.flower.url + path, json={}, timeout=30)
        assert answer.status_code == 403

    def test_no_secret_is_shown(self, here: Deployed) -> None:
        shown = str(here.get("/api/workers", refresh="1")) + str(here.get("/api/tasks"))
        for secret in ("embedded-secret", here.flower.credentials):
            assert secret not in shown


def whole_cells(browser: Browser, heading: str) -> set[str]:
    """Of that column, those that are not cut off at the end."""
    return set(browser.chrome.execute_script(_WHOLE_CELLS, heading))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


class TestPages:
    def test_the_tasks_a_search_by_job_id_and_one_that_failed(
        self, here: Deployed, browser: Browser
    ) -> None:
        chrome = browser.chrome
        # When somebody looks at all tasks
        chrome.get(f"{here.flower.url}/tasks")
        browser.wait_for(FAILED[:8])
        # Then each shows its ids, whole
        ids = {"job_id=12", "job_id=12, run_id=4", "job_id=99", f"job_id={MAX_ID}, run_id={MAX_ID}"}
        assert whole_cells(browser, "kwargs") >= ids
        assert whole_cells(browser, "state") == {"SUCCESS", "FAILURE", "RETRY"}
        assert "unknown_job: there is no job 99" in whole_cells(browser, "result")
        browser.photograph("flower-tasks")

        # When they search by a job's id
        search = chrome.find_element(By.CSS_SELECTOR, "input[type=search]")
        search.send_keys("kwargs:job_id=99")
        # Then that job's are left
        WebDriverWait(chrome, _PATIENCE_SECONDS).until(
            lambda _: "job_id=99" in browser.text and "job_id=12" not in browser.text
        )
        browser.photograph("flower-search")

        # When they look at the one that failed
        chrome.get(f"{here.flower.url}/task/{FAILED}")
        browser.wait_for("unknown_job: there is no job 99")
        # Then it says why
        assert "FAILURE" in browser.text
        browser.photograph("flower-failed-task")
