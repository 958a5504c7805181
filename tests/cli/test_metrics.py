"""`artifacts metrics`."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.cli import metrics_run
from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from artifact_pipeline.worker.sql.engine import make_engine
from tests.cli.commands import Command
from tests.sql.status_steps import Rows

MINUTE = timedelta(minutes=1)


@pytest.fixture
def rows(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rows]:
    """The transfers that the command sees."""
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", sqlite_url)
    engine = make_engine(sqlite_url)
    yield Rows(engine)
    engine.dispose()


@pytest.mark.usefixtures("no_workers", "queues")
def test_it_prints_the_metrics_once(artifacts: Command, rows: Rows) -> None:
    # Given one that waits, and others that have ended just now and an hour ago
    rows.add(TransferState.REQUESTED, next_attempt_at=MINUTE)
    rows.add(TransferState.DONE, finished_at=MINUTE)
    rows.add(TransferState.DONE, finished_at=60 * MINUTE)
    # When
    answer = artifacts("metrics", "--once")
    # Then
    assert (answer.status, answer.err) == (0, "")
    samples = [
        sample for family in text_string_to_metric_families(answer.out) for sample in family.samples
    ]
    sums = {
        name: sum(sample.value for sample in samples if sample.name == name)
        for name in ("artifacts_backlog_transfers", "artifacts_transfers_ended_total")
    }
    assert sums == {"artifacts_backlog_transfers": 1, "artifacts_transfers_ended_total": 1}


@pytest.mark.usefixtures("no_workers", "queues", "rows")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal(
    artifacts: Command, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    # Given
    told: list[str] = []
    is_told = threading.Event()
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def note(line: str) -> None:
        told.append(line)
        is_told.set()

    monkeypatch.setattr(metrics_run, "note", note)

    def scrape_and_end() -> int:
        assert is_told.wait(60)
        status = requests.get(told[0].removeprefix("metrics: "), timeout=30).status_code
        signal.pthread_kill(main_thread, number)
        return status

    # When
    with ThreadPoolExecutor(1) as pool:
        scraped = pool.submit(scrape_and_end)
        answer = artifacts("metrics", "--listen", "127.0.0.1:0")
    # Then
    assert scraped.result() == 200
    assert (answer.status, answer.out) == (0, "")


@pytest.mark.usefixtures("no_workers", "rows")
def test_what_cannot_be_read_is_a_line_beside_the_metrics(
    artifacts: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    # When
    answer = artifacts("metrics", "--once")
    # Then
    assert answer.status == 0
    assert 'artifacts_up{part="broker"} 0.0' in answer.out
    assert "WARNING the broker cannot be read: " in answer.error
    assert "hunter2" not in answer.error


def test_a_missing_extra_is_one_line(artifacts: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artifact_pipeline.worker.cli.extras.find_spec", lambda _name: None)
    answer = artifacts("metrics")
    extra = "the extra 'metrics': pip install 'artifact-pipeline[metrics]'"
    assert (answer.status, answer.error) == (1, f"artifacts: artifacts metrics needs {extra}")


@pytest.mark.parametrize("wrong", ["9540", ":9540", "localhost:", "localhost:x", "localhost:65536"])
def test_where_it_cannot_listen_is_wrong_usage(artifacts: Command, wrong: str) -> None:
    answer = artifacts("metrics", "--listen", wrong)
    assert answer.status == 2
    assert f"--listen is '{wrong}': give HOST:PORT, such as 127.0.0.1:9540" in answer.err


@pytest.mark.usefixtures("no_workers", "rows")
def test_an_address_in_use_is_one_line(artifacts: Command, queues: Valkey) -> None:
    # Given the broker's address, or one of no network of this machine
    answer = artifacts("metrics", "--listen", "192.0.2.1:9540")
    assert (answer.status, queues.is_running) == (1, True)
    assert answer.error.startswith("artifacts: --listen 192.0.2.1:9540: ")
