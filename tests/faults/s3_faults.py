"""What is to go wrong between a client and S3, and what has."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.faults.s3_request import Request

When = Callable[[Request], bool]

_CHECKSUM_ANSWERS = {"PutObject", "UploadPart", "CompleteMultipartUpload", "ListParts"}


class S3Fault(Enum):
    SLOW_DOWN = "503 SlowDown"
    RESET = "reset as the request arrives"
    CUT_REQUEST = "reset after a part of the request"
    TIME_OUT = "the request is read, and no answer follows"
    LOST_ANSWER = "S3 has answered, and the client gets a reset"
    TRUNCATED_ANSWER = "closed in the middle of the answer"
    WRONG_CHECKSUM = "another SHA-256 in the answer"
    CORRUPTED_BODY = "a byte of the request's body is flipped"

    def has_place_in(self, request: Request) -> bool:
        """Whether it could show; one that could not waits for another request."""
        match self:
            case S3Fault.CORRUPTED_BODY:
                return int(request.headers.get("content-length", 0)) > 0
            case S3Fault.WRONG_CHECKSUM:
                asked_for = "x-amz-checksum-mode" in request.headers
                return asked_for or request.operation in _CHECKSUM_ANSWERS
            case _:
                return True


@dataclass(eq=False)
class Hold:
    """A request that stands still from `arrived` until it is released."""

    when: When
    arrived: threading.Event = field(default_factory=threading.Event)
    request: Request | None = None
    """The one that is held."""
    _released: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        self._released.set()

    def stop_here(self, request: Request) -> None:
        self.request = request
        self.arrived.set()
        self._released.wait()


@dataclass
class _Counted:
    fault: S3Fault
    times: int
    when: When

    def pick(self, request: Request) -> S3Fault | None:
        if not self.times or not self.fault.has_place_in(request) or not self.when(request):
            return None
        self.times -= 1
        return self.fault


@dataclass
class _Random:
    dice: random.Random
    probabilities: Mapping[S3Fault, float]
    when: When

    def pick(self, request: Request) -> S3Fault | None:
        if not self.when(request):
            return None
        point = self.dice.random()
        for fault, probability in self.probabilities.items():
            point -= probability
            if point < 0:
                return fault if fault.has_place_in(request) else None
        return None


class S3Faults:
    """What tests ask for; usable from every thread."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Requests that arrived, by operation."""
        self.injected: Counter[S3Fault] = Counter()
        self._rules: list[_Counted | _Random] = []
        self._holds: list[Hold] = []
        self._answer_holds: list[Hold] = []
        self._stopped: list[Hold] = []
        self._lock = threading.RLock()

    def inject(self, fault: S3Fault, times: int = 1, when: When = lambda _request: True) -> None:
        """The next requests that it has a place in and that `when` is true of."""
        with self._lock:
            self._rules.append(_Counted(fault, times, when))

    def at_random(
        self,
        seed: int,
        probabilities: Mapping[S3Fault, float],
        when: When = lambda _request: True,
    ) -> None:
        """Each request that `when` is true of, with these probabilities; injected ones go first."""
        with self._lock:
            dice = random.Random(seed)
            self._rules.append(_Random(dice, dict(probabilities), when))

    def hold(self, when: When = lambda _request: True) -> Hold:
        """Stop the first such request before anything of it is forwarded.

        What its client has sent by the time of the release is forwarded even if the client is gone.
        """
        return self._new_hold(self._holds, when)

    def hold_answer(self, when: When = lambda _request: True) -> Hold:
        """Stop the answer to the first such request, which S3 has seen to."""
        return self._new_hold(self._answer_holds, when)

    def heal(self) -> None:
        """Forget every fault and hold; what is held goes on."""
        with self._lock:
            self._rules.clear()
            for holds in (self._holds, self._answer_holds, self._stopped):
                for hold in holds:
                    hold.release()
                holds.clear()

    def _new_hold(self, holds: list[Hold], when: When) -> Hold:
        with self._lock:
            holds.append(Hold(when))
            return holds[-1]

    def _stop_if_held(self, request: Request, holds: list[Hold]) -> None:
        with self._lock:
            hold = next((hold for hold in holds if hold.when(request)), None)
            if hold is None:
                return
            holds.remove(hold)
            self._stopped.append(hold)
        hold.stop_here(request)
        with self._lock:
            if hold in self._stopped:
                self._stopped.remove(hold)

    def _pick_fault(self, request: Request) -> S3Fault | None:
        with self._lock:
            picked = (rule.pick(request) for rule in self._rules)
            return next((fault for fault in picked if fault is not None), None)

    def _count(self, request: Request) -> None:
        with self._lock:
            self.counts[request.operation] += 1

    def _count_fault(self, fault: S3Fault) -> None:
        with self._lock:
            self.injected[fault] += 1
