"""The alert rules: each fires once the exporter's own output makes its condition true."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from json import dumps, loads
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery import Celery
from prometheus_client.samples import Sample
from sqlalchemy import create_engine

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.tasks.last_dispatch import note_dispatch
from artifact_pipeline.worker.dev.layout import LAYOUT
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from artifact_pipeline.worker.metrics.collector import PipelineCollector
from artifact_pipeline.worker.metrics.workers import WorkerWatch
from artifact_pipeline.worker.sql.metrics import SqlMetrics
from artifact_pipeline.worker.sql.tables import EndpointRow, WorkspaceFailureRow
from tests.deployments.programs import program
from tests.image import ROOT
from tests.metrics.steps import (
    BREAKER_FAILURES,
    HOUR,
    LEASE,
    MINUTE,
    SECOND,
    add_batch,
    add_event,
    answer,
    audit,
    ended,
    fail,
)
from tests.metrics.used_metrics import unknown_names
from tests.sql.status_steps import Rows

FILE = ROOT / "deploy/monitoring/alerts.yml"
RULES = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]
RUNBOOKS = ROOT / "docs/operations/alerts.md"
_CHANGE, _LOOK = 60, 70
"""Minutes: when the second scrape's values begin, and when the alerts are looked at."""


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One database is enough here."""
    return sqlite_url


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """A deployment in which nothing is wrong."""

    rows: Rows
    broker: Valkey
    app: Celery
    sql: SqlMetrics
    clock: Clock
    workers: WorkerWatch

    def scrape(self) -> list[Sample]:
        collector = PipelineCollector(self.sql, self.app, self.workers, HOUR)
        return [sample for family in collector.collect() for sample in family.samples]


@pytest.fixture
def world(rows: Rows, broker: Valkey, app: Celery, sql: SqlMetrics) -> World:
    clock = Clock()
    workers = WorkerWatch(app, clock)
    for plan in LAYOUT:
        answer(workers, f"{plan.name}@a", *plan.queues)
    note_dispatch(rows.now, app)
    ended(rows, wait=SECOND, duration=SECOND)
    return World(rows, broker, app, sql, clock, workers)


def _away() -> str:
    return f"127.0.0.1:{free_port()}"


def lose_database(world: World) -> None:
    url = f"postgresql+psycopg://{_away()}/any"
    world.sql = SqlMetrics(create_engine(url), LEASE, BREAKER_FAILURES)


def lose_broker(world: World) -> None:
    world.app = fail_fast_app(f"redis://{_away()}/0")


def without_results_worker(world: World) -> None:
    world.rows.add(TransferState.REQUESTED, kind="job_input", next_attempt_at=MINUTE)
    world.workers = WorkerWatch(world.app)
    answer(world.workers, "configs@a", "configs")


def let_a_worker_fall_silent(world: World) -> None:
    world.clock.now += 90
    for plan in LAYOUT[1:]:
        answer(world.workers, f"{plan.name}@a", *plan.queues)


def refuse_a_message(world: World) -> None:
    with world.broker.client() as client:
        client.lpush("artifacts.dead_letters", "any")


def start_a_batch(world: World) -> None:
    add_batch(world.rows, "running", **hours(world, -2, 2))


def hours(world: World, begin: int, end: int) -> dict[str, str]:
    """The hours of a batch, from so many hours after now to so many."""
    begins, ends = (f"{world.rows.now + number * HOUR:%H:%M}" for number in (begin, end))
    return {"release_hours": f"{begins}-{ends}", "release_zone": "UTC"}


def doubt_a_write(world: World) -> None:
    world.rows.add(TransferState.DONE, finished_at=MINUTE, doubted_at=MINUTE)


def adding(state: TransferState, **values: Any) -> Callable[[World], None]:
    def add(world: World) -> None:
        world.rows.add(state, **values)

    return add


AT_LAST: dict[str, Callable[[World], None]] = {
    "ArtifactsQueueWaitLong": lambda world: ended(
        world.rows, wait=timedelta(minutes=10), duration=SECOND
    ),
    "ArtifactsMessagesRefused": refuse_a_message,
}
"""What happens between two scrapes."""
ALL_ALONG: dict[str, Callable[[World], None]] = {
    "ArtifactsDatabaseAway": lose_database,
    "ArtifactsBrokerAway": lose_broker,
    "ArtifactsNoDispatch": lambda world: note_dispatch(world.rows.now - 2 * MINUTE, world.app),
    "ArtifactsNoWorker": without_results_worker,
    "ArtifactsWorkspaceUnserved": adding(
        TransferState.REQUESTED, next_attempt_at=MINUTE, workspace="host-a"
    ),
    "ArtifactsBacklogOld": adding(TransferState.REQUESTED, next_attempt_at=6 * MINUTE),
    "ArtifactsLeasesNotRenewed": adding(TransferState.RUNNING, lease_expires_at=-15 * SECOND),
    "ArtifactsLeasesExpired": adding(TransferState.RUNNING, lease_expires_at=3 * MINUTE),
    "ArtifactsQuarantined": adding(
        TransferState.QUARANTINED, finished_at=MINUTE, reason_code="access_denied"
    ),
    "ArtifactsStoreFails": lambda world: fail(world.rows, EndpointRow, BREAKER_FAILURES),
    "ArtifactsWorkspaceFails": lambda world: fail(world.rows, WorkspaceFailureRow, 1),
    "ArtifactsBatchStandsStill": start_a_batch,
    "ArtifactsUnverified": doubt_a_write,
    "ArtifactsAuditFindings": lambda world: audit(world.rows, objects=1200, missing=2),
    "ArtifactsEventsLate": lambda world: add_event(world.rows, since=20 * MINUTE),
    "ArtifactsEventsRefused": lambda world: add_event(world.rows, refused=True),
    "CeleryWorkerDown": let_a_worker_fall_silent,
}
"""What is wrong from the first scrape on."""


def test_every_alert_has_a_test() -> None:
    names = [rule["alert"] for rule in RULES]
    assert sorted(names) == sorted({*AT_LAST, *ALL_ALONG, "ArtifactsExporterAway"})


def test_nothing_fires_while_nothing_is_wrong(world: World, tmp_path: Path) -> None:
    add_batch(world.rows, "running", **hours(world, 2, 4))  # outside its hours it waits on purpose
    found = world.scrape()
    evaluate(tmp_path, found, found, "count by (alertname) (ALERTS)", [])


@pytest.mark.parametrize("alert", ALL_ALONG)
def test_it_fires_for_what_is_wrong_all_along(world: World, alert: str, tmp_path: Path) -> None:
    # Given
    ALL_ALONG[alert](world)
    # When / Then
    found = world.scrape()
    evaluate(tmp_path, found, found, *firing(alert))


@pytest.mark.parametrize("alert", AT_LAST)
def test_it_fires_for_what_has_happened(world: World, alert: str, tmp_path: Path) -> None:
    # Given
    before = world.scrape()
    AT_LAST[alert](world)
    # When / Then
    evaluate(tmp_path, before, world.scrape(), *firing(alert))


@pytest.mark.processes
def test_it_fires_without_an_exporter(tmp_path: Path) -> None:
    evaluate(tmp_path, [], [], *firing("ArtifactsExporterAway"))


def firing(alert: str) -> tuple[str, list[dict[str, Any]]]:
    """An expression, and the samples that it has if the alert fires."""
    expression = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0'
    return expression, [{"labels": "{}", "value": 1}]


def evaluate(
    directory: Path,
    before: list[Sample],
    after: list[Sample],
    expression: str,
    expected: list[dict[str, Any]],
) -> None:
    """Let Prometheus scrape the one for an hour, then the other, and look at the expression."""
    looked_at = {"expr": expression, "eval_time": f"{_LOOK}m", "exp_samples": expected}
    content = {
        "rule_files": [str(FILE)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series(before, after),
                "promql_expr_test": [looked_at],
            }
        ],
    }
    file = directory / "test.yml"
    file.write_text(dumps(content))
    promtool("test", "rules", str(file))


def series(before: list[Sample], after: list[Sample]) -> list[dict[str, str]]:
    values = {named(each): each.value for each in before}
    return [
        {
            "series": named(each),
            "values": f"{values.get(named(each), 0):f}+0x{_CHANGE} {each.value:f}+0x{_CHANGE}",
        }
        for each in after
    ]


def named(sample: Sample) -> str:
    labels = ",".join(f"{name}={dumps(str(text))}" for name, text in sample.labels.items())
    return f"{sample.name}{{{labels}}}"


def promtool(*arguments: str) -> None:
    ended = subprocess.run(
        [program("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.processes
def test_the_rules_are_valid() -> None:
    promtool("check", "rules", str(FILE))


@pytest.mark.processes
def test_the_queries_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    # Given each query as a rule, with a range in the place of Grafana's variable
    panels = loads((FILE.parent / "dashboard.json").read_text())["panels"]
    queries = [each["expr"] for panel in panels for each in panel.get("targets", ())]
    rules = [
        {"record": f"query_{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "queries.yml"
    file.write_text(dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    # When / Then Prometheus takes them
    assert queries
    promtool("check", "rules", str(file))


def test_every_alert_has_its_paragraph_and_every_paragraph_its_alert() -> None:
    # Given
    headings = re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    # Then
    assert headings == [rule["alert"] for rule in RULES]
    assert [rule["annotations"]["runbook_url"] for rule in RULES] == [
        f"docs/operations/alerts.md#{heading.lower()}" for heading in headings
    ]
    assert {rule["labels"]["severity"] for rule in RULES} == {"critical", "warning"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_it_uses_what_the_exporter_has(rule: dict[str, Any]) -> None:
    assert unknown_names(rule["expr"]) == set()
