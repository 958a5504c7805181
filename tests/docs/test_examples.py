"""The documents' examples, run as they stand."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests import preloaded
from tests.integration.deployment import Deployment
from tests.sql.batch_steps import History

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)


def _examples(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


TRANSACTION, BARE, TASK, CLIENT, MANY, TESTS, STATUS = _examples("producers.md")
(BATCH,) = _examples("batches.md")
JOB_CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
RUN_CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployment]:
    """The job and the run that the examples speak of, with all their files."""
    with EmbeddedStack(tmp_path) as stack:
        deployment = Deployment(stack)
        deployment.run(deployment.job(CREATED_AT, job_id=12), CREATED_AT, run_id=4)
        for kind in ArtifactKind:
            deployment.write(Artifact(kind, 12, 4 if kind.belongs_to_run else None))
        stack.start_worker("--concurrency", "1")
        yield deployment


def test_the_examples_of_transactions_work(deployed: Deployment) -> None:
    assert _run(TRANSACTION, deployed) == "requested\n"
    deployed.stored(JOB_CONFIG)
    deployed.stored(RESULTS)
    assert _run(MANY, deployed) == "3\n"
    deployed.stored(RUN_CONFIG)
    deployed.stored(LOGS)


def test_the_example_of_a_bare_message_works_without_this_package(deployed: Deployment) -> None:
    ours = "print(sorted({'domain', 'tasks', 'worker'} & set(__import__('sys').modules)))"
    ended = _python(BARE + ours, {**os.environ, **deployed.stack.settings()})
    assert (ended.returncode, ended.stdout) == (0, "[]\n"), ended.stderr
    deployed.stored(RESULTS)


def test_the_example_of_a_task_works(deployed: Deployment) -> None:
    assert _run(TASK, deployed) == ""
    deployed.stored(LOGS)


def test_the_example_of_a_client_works(deployed: Deployment) -> None:
    assert _run(CLIENT, deployed) == ""
    deployed.wait_until(lambda: deployed.artifacts.find(RUN_CONFIG) is not None)
    assert deployed.body("jobs/12/2025/10/23/211500/run_4_config.json") == b'{"mesh": 3}'


def test_the_example_of_a_producers_own_test_works() -> None:
    exec(TESTS)  # noqa: S102 - the document's


def test_the_example_of_a_look_at_the_end_works(deployed: Deployment) -> None:
    assert _run(STATUS, deployed) == "never asked for\n"
    deployed.send(RESULTS)
    deployed.stored(RESULTS)
    assert _run(STATUS, deployed) == "done None\n"


def test_the_example_of_a_batch_works(deployed: Deployment) -> None:
    History(deployed.stack.engine).transfer(JOB_CONFIG)
    assert _run(BATCH, deployed) == "1 {}\nrunning\n"
    deployed.wait_until(lambda: deployed.artifacts.find(JOB_CONFIG) is not None)


def test_a_producer_without_an_app_hears_what_to_set() -> None:
    env = {name: value for name, value in os.environ.items() if name[:9] != "ARTIFACTS"}
    unconfigured = TASK.replace("producer_app()\n", "")
    ended = _python(unconfigured, env)
    assert ended.returncode != 0
    last = ended.stderr.strip().splitlines()[-1]
    assert "ProducerNotConfiguredError" in last
    assert "ARTIFACTS_BROKER_URL" in last


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))]
)
def test_what_a_document_points_to_is_there(page: str) -> None:
    path = ROOT / page
    text = path.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    files = re.findall(r"`((?:tests|domain|tasks|worker|benchmarks)/[\w/.]+)(?:::(\w+))?`", text)
    missing = [link for link in links if not (path.parent / link).exists()]
    missing += [f"{name}::{test}" for name, test in files if not _exists_already(ROOT / name, test)]
    assert missing == []


def _exists_already(path: Path, test: str) -> bool:
    return path.exists() and (not test or f"def {test}(" in path.read_text())


def _run(example: str, deployed: Deployment) -> str:
    ended = preloaded.start_code(example, env={**os.environ, **deployed.stack.settings()}).ended()
    assert ended.status == 0, ended.err
    return ended.out


# In a new process, which has imported nothing.
def _python(source: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", source],
        env=env,
        cwd=ROOT.anchor,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
