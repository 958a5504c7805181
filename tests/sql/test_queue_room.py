"""How much room the queues of a real broker have."""

import pytest

from domain.artifacts import ArtifactKind
from domain.errors import BrokerUnavailableError
from tasks.app import producer_app
from tasks.contract import CONFIGS, RESULTS
from tasks.enqueue import kinds_with_room
from worker.embedded.servers import Valkey

SMALL = {ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_CONFIG}


@pytest.mark.parametrize(
    ("in_configs", "in_results", "expected"),
    [
        (0, 0, set(ArtifactKind)),
        (2, 2, set(ArtifactKind)),
        (2, 3, SMALL),
        (3, 0, set(ArtifactKind) - SMALL),
        (4, 3, set()),
    ],
)
def test_a_queue_has_room_below_the_limit(
    broker: Valkey, in_configs: int, in_results: int, expected: set[ArtifactKind]
) -> None:
    with broker.client() as client:
        for queue, depth in ((CONFIGS, in_configs), (RESULTS, in_results)):
            for _ in range(depth):
                client.lpush(queue, "message")
    assert set(kinds_with_room(3, producer_app(broker.url))) == expected


def test_a_broker_that_is_away_is_said_so() -> None:
    with pytest.raises(BrokerUnavailableError):
        kinds_with_room(3, producer_app("redis://127.0.0.1:1/0"))
