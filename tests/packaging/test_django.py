"""Producers on Django run the code of the documents, without the pipeline's package."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.packaging.conftest import ROOT
from tests.packaging.wheels import UV, locked_wheels, run_foreign
from tests.sql.producer import Message, sent_to

pytestmark = pytest.mark.processes

LOCK = ROOT / "tests/packaging/django-5.2.txt"
SCRIPT = ROOT / "tests/packaging/django_script.py"
GUIDE = (ROOT / "docs/producers.md").read_text().split("\n## Django\n")[1].split("\n## ")[0]
IN_TRANSACTION, ON_COMMIT = (
    re.sub(r"(?m)^ {4}", "", block)
    for block in re.findall(r"(?:(?:^ {4}.*)?\n)*^ {4}.*\n", GUIDE, re.MULTILINE)
)


@pytest.fixture(scope="module")
def django(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with Django's packages, beside the environment of the tests."""
    target = tmp_path_factory.mktemp("django")
    found = ["--offline", "--no-index", "--find-links", str(locked_wheels(LOCK))]
    command = [UV, "pip", "install", "--quiet", "--target", str(target), "--no-deps", *found]
    _run(*command, "--require-hashes", "--requirement", str(LOCK))
    return target


def _run(*command: str, given: str = "", path: Path | None = None) -> str:
    return run_foreign(command, {"PYTHONPATH": str(path)} if path else {}, given)


def test_the_code_of_the_documents(django: Path, postgres_url: str, broker: Valkey) -> None:
    # Given
    given = {
        "database_url": postgres_url,
        "broker_url": broker.url,
        "in_transaction": IN_TRANSACTION,
        "on_commit": ON_COMMIT,
    }
    # When a Django platform makes four jobs
    answer = _run(sys.executable, str(SCRIPT), given=json.dumps(given), path=django)
    job_ids: dict[str, Any] = json.loads(answer)
    # Then it needed nothing of the pipeline's
    assert job_ids.pop("imported") == []
    # And a request in the transaction is a row that the dispatch sends, unless it was rolled back
    engine = make_engine(postgres_url)
    transfers = SqlTransfers(engine)
    found = {name: transfers.of_job(job_id) for name, job_id in job_ids.items()}
    assert {name: len(rows) for name, rows in found.items()} == {
        "in_transaction": 1,
        "rolled_back": 0,
        "on_commit": 0,
        "both": 1,
    }
    for name in ("in_transaction", "both"):
        (row,) = found[name]
        assert (row.state, row.requested_by) == (TransferState.WAITING, "42")
        assert abs((transfers.now() - row.requested_at).total_seconds()) < 3600
    # And one by `on_commit` is a message, which has the row's id where there are both
    both, on_commit = sent_to(broker)
    task = "artifacts.upload_job_config"
    assert both == Message("configs", task, found["both"][0].request_id, job_ids["both"])
    assert (on_commit.task, on_commit.job_id) == (task, job_ids["on_commit"])
    engine.dispose()
