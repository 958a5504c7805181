"""A small part of what `make figures` measures with 1,000 bare messages."""

from datetime import timedelta
from pathlib import Path

from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests.databases import Databases
from tests.faults.bare import send_under_kills
from tests.integration.deployment import Deployment


def test_no_bare_message_is_lost_under_kills(tmp_path: Path, databases: Databases) -> None:
    # Given workers that are killed one after the other
    with databases.fresh() as url, EmbeddedStack(tmp_path, url) as stack:
        deployed = Deployment(stack, patience_seconds=240)
        # When bare messages arrive meanwhile
        outcome = send_under_kills(deployed, messages=60, per_second=6, workers=2, kill_every=3)
    # Then each is done
    assert outcome.kills >= 3
    assert outcome.lost == 0
    assert outcome.latest > timedelta(0)
