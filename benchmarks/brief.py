"""Works in small, which take seconds: beside a peer, or one commit beside another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.counts import count_naive, count_ours, in_units
from benchmarks.deployment import Deployment
from benchmarks.figures import OURS, Contender, Figure, Measured, compared, in_turns, medians
from benchmarks.large import large_file_up_by_boto3, large_file_up_by_ours
from benchmarks.publishing import one_by_one_by_naive, one_by_one_by_ours
from benchmarks.small import jobs_by_naive, jobs_by_ours

ROUNDS = 3
_UPLOADS = 300
_REQUESTS = 500
_SIZE_MIB = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefWork:
    """A work that is short enough to be measured often.

    Attributes:
        ours: starts what it needs in a deployment, and returns what is measured.
        peer: does the same for the other program.
        is_count: one round without a warm-up is enough, because each gives the same.
    """

    title: str
    ours: Callable[[Deployment], Contender]
    peer_name: str
    peer: Callable[[Deployment], Contender]
    is_count: bool = False

    def measure(self, made: Deployment) -> list[Figure]:
        """Compare ours with the peer on the same servers."""
        contenders = {OURS: self.ours(made), self.peer_name: self.peer(made)}
        return compared(self.title, medians(self.in_turns(contenders, ROUNDS)))

    def in_turns(
        self, contenders: Mapping[str, Contender], rounds: int
    ) -> list[dict[str, Measured]]:
        """Return the rounds of any contenders, after each has been warmed up."""
        if self.is_count:
            return in_turns(contenders, 1)
        # Else the first round would measure imports and connections too.
        for contender in contenders.values():
            contender()
        return in_turns(contenders, rounds)


def _small_by_ours(made: Deployment) -> Contender:
    made.start_worker()
    return partial(jobs_by_ours, made, _UPLOADS)


def _small_by_naive(made: Deployment) -> Contender:
    made.start_naive_worker()
    return partial(jobs_by_naive, made, _UPLOADS)


def _counts_of_ours(made: Deployment) -> Contender:
    def count() -> Measured:
        return in_units(count_ours(made))

    return count


def _counts_of_naive(made: Deployment) -> Contender:
    def count() -> Measured:
        return in_units(count_naive(made))

    return count


BRIEF_WORKS = {
    "counts": BriefWork(
        title="one small upload",
        ours=_counts_of_ours,
        peer_name="naive",
        peer=_counts_of_naive,
        is_count=True,
    ),
    "small": BriefWork(
        title=f"{_UPLOADS} small uploads, requested to recorded",
        ours=_small_by_ours,
        peer_name="naive",
        peer=_small_by_naive,
    ),
    "large": BriefWork(
        title=f"{_SIZE_MIB} MiB up",
        ours=partial(large_file_up_by_ours, size_mib=_SIZE_MIB),
        peer_name="boto3",
        peer=partial(large_file_up_by_boto3, size_mib=_SIZE_MIB),
    ),
    "publishing": BriefWork(
        title=f"publishing {_REQUESTS} requests, one new job a commit",
        ours=lambda made: partial(one_by_one_by_ours, made, _REQUESTS),
        peer_name="naive",
        peer=lambda made: partial(one_by_one_by_naive, made, _REQUESTS),
    ),
}
