"""What each broker of a storm offers."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from random import Random
from typing import Protocol, Self

from artifact_pipeline.tasks.broker import Broker

Action = Callable[[], object]
ForAWhile = Callable[[Action], object]


class StormBroker(Protocol):
    """A broker under faults.

    Attributes:
        broker: as workers reach it, perhaps through a proxy.
        direct: as the test reaches it, past every fault.
        environment: of AWS, where the broker's URL does not say where it is.
        forgets: names of faults after which it may lack messages that no worker has received.
    """

    broker: Broker
    direct: Broker
    environment: Mapping[str, str]
    forgets: frozenset[str]

    def __enter__(self) -> Self: ...

    def __exit__(self, *_error: object) -> None: ...

    def faults(self, for_a_while: ForAWhile, rng: Random) -> Mapping[str, Action]:
        """Return what can happen to it. Args: `for_a_while` ends what it is given by `heal`."""
        ...

    def heal(self) -> None: ...

    def messages(self) -> dict[str, int]:
        """Return how many there are in each queue, and how many are not acknowledged."""
        ...

    def inject(self, queue: str, element: bytes) -> None:
        """Put an element into a queue, as anyone can who reaches the broker."""
        ...


class Started:
    """What is started with the broker, and ends with it."""

    environment: Mapping[str, str] = {}

    def __init__(self) -> None:
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._exit.close()
