"""What the tests of `artifacts jobs upload` share."""

from artifact_pipeline.worker.embedded.servers import Valkey
from tests.cli.commands import Answer

AWAY = "redis://:hunter2@127.0.0.1:1/0"
OF_JOB = [("job_config", None), ("job_input", None)]


def of_run(run_id: int) -> list[tuple[str, int | None]]:
    return [(kind, run_id) for kind in ("run_config", "run_results", "run_logs")]


def asked(answer: Answer) -> list[tuple[str, int | None]]:
    assert (answer.status, answer.err) == (0, "")
    return [(row["kind"], row["run_id"]) for row in answer.json]


def waiting_in(queues: Valkey) -> dict[str, int]:
    """How many messages each queue holds."""
    with queues.client() as client:
        return {name: int(str(client.llen(name))) for name in ("configs", "results")}
