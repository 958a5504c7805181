"""Which uploads this worker handles, or has done, without their messages.

The processes that upload tell the main process over a socket. It takes messages, and so must know
which have nothing to do. Everything here is a hint: SQL is the truth.
"""

import json
import logging
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from selectors import EVENT_WRITE, DefaultSelector
from socket import AF_UNIX, SO_SNDBUF, SOCK_DGRAM, SOL_SOCKET, socketpair
from time import monotonic, time
from typing import Any

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import (
    MAX_REQUEST_ID,
    Direction,
    TransferState,
    TransferSummary,
)
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload
from artifact_pipeline.domain.transfers.page_watch import UploadEnd
from artifact_pipeline.domain.transfers.recent import RecentRequests
from artifact_pipeline.tasks.base import answer_of, ending_of
from artifact_pipeline.tasks.routing import TRANSFER_TASKS, ids_of, task_name

logger = logging.getLogger(__name__)

IN_HAND_SECONDS = 1.0
"""How long a claim alone makes messages superfluous.

Shorter than any lease, and a page is done sooner.
"""
_REMEMBERED = 100_000
_BUFFER = 2**20
_LONGEST_SHOWN = 1_000
_SUCCEEDED = "task-succeeded"
_LARGEST_NOTE = 2**16
_LARGEST_MESSAGE = 2**14
_ID = re.compile(rb'"id": ?"([^"\\]{1,%d})"' % MAX_REQUEST_ID)
_UPLOADS = frozenset(
    name for name, (direction, _) in TRANSFER_TASKS.items() if direction is Direction.UPLOAD
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnd:
    """How the task of an upload would have ended.

    Attributes:
        type: of Celery's event.
        ids: the arguments of the task.
        ended_at: by `time.time()`.
        seconds: since its upload was begun.
        shown: what the event shows as result or exception.
        is_done: no message of this id ever has anything to do.
    """

    request_id: str
    name: str
    ids: dict[str, int]
    type: str
    ended_at: float
    seconds: float
    shown: str
    is_done: bool


class HandledUploads:
    """Tells in the processes that upload, and knows in the main process.

    Both ends are made before the first child is forked. A thread pool has both in one process.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socketpair(AF_UNIX, SOCK_DGRAM)
        for end in (self._reader, self._writer):
            end.settimeout(0)
        self._writer.setsockopt(SOL_SOCKET, SO_SNDBUF, _BUFFER)
        self._done = RecentRequests[str](_REMEMBERED)
        self._in_hand: dict[str, tuple[float, str]] = {}
        self._ends: list[TaskEnd] = []
        self._notify: Callable[[], None] | None = None

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    # This part runs in the processes that upload.

    def claimed(self, uploads: Sequence[ClaimedUpload]) -> None:
        until = monotonic() + IN_HAND_SECONDS
        self._tell(
            [
                {
                    "claimed": each.request_id,
                    "key": _key_of(each.request_id, each.claim.artifact),
                    "until": until,
                }
                for each in uploads
            ]
        )

    def releasing(self, uploads: Sequence[ClaimedUpload]) -> None:
        # Otherwise the message of the next attempt could be dropped.
        self._tell([{"released": upload.request_id} for upload in uploads], IN_HAND_SECONDS)

    def ended(self, ends: Sequence[UploadEnd], own: UploadEnd | None = None) -> None:
        tasks = [_task_end(end) for end in ends]
        for task in tasks:
            _log(task)
        notes: list[dict[str, Any]] = [{"ended": asdict(task)} for task in tasks]
        if own is not None and _is_done(own):
            notes.append({"done": own.request_id, "key": _key_of(own.request_id, own.artifact)})
        self._tell(notes)

    def _tell(self, notes: Sequence[dict[str, Any]], patience: float = 0.0) -> None:
        """Send the notes. Args: `patience` is how many seconds to wait for a full socket."""
        until = monotonic() + patience
        for datagram in _datagrams(notes):
            while not self._send(datagram) and monotonic() < until:
                with DefaultSelector() as writable:
                    writable.register(self._writer, EVENT_WRITE)
                    writable.select(until - monotonic())

    def _send(self, datagram: bytes) -> bool:
        try:
            self._writer.send(datagram)
        except BlockingIOError:
            return False
        except OSError as error:
            logger.warning("the main process does not learn of uploads: %s", error.strerror)
        return True

    # This part runs in the main process.

    def fileno(self) -> int:
        """Return the descriptor that can be read when there is news."""
        return self._reader.fileno()

    def listen(self, notify: Callable[[], None] | None) -> None:
        """Call `notify` when uploads have ended, from now on."""
        self._notify = notify

    def take_ends(self) -> list[TaskEnd]:
        """Return the uploads that have ended since the last call."""
        ends, self._ends = self._ends, []
        return ends

    def is_handled(self, element: bytes) -> bool:
        """Return whether this element of a queue is the message of one of the uploads."""
        self.read()
        if len(element) > _LARGEST_MESSAGE or not (self._in_hand or self._done):
            return False
        # Most elements are of none: parsing each would cost more than all else here.
        found = {each.decode(errors="replace") for each in _ID.findall(element)}
        known = {self._key_of(request_id) for request_id in found} - {None}
        return bool(known) and _key_of_message(element) in known

    def _key_of(self, request_id: str) -> str | None:
        """Return the key of the upload that makes messages of this id superfluous, if one does."""
        until, key = self._in_hand.get(request_id, (0.0, ""))
        return key if until > monotonic() else self._done.get(request_id)

    def read(self) -> None:
        """Learn what the other processes have told."""
        with suppress(BlockingIOError):
            while True:
                for note in json.loads(self._reader.recv(_BUFFER)):
                    self._take(note)
        if self._ends and self._notify:
            self._notify()

    def _take(self, note: dict[str, Any]) -> None:
        match note:
            case {"claimed": str(request_id), "key": str(key), "until": float(until)}:
                self._in_hand.pop(request_id, None)  # so that it becomes the last
                self._in_hand[request_id] = until, key
                self._forget_expired()
            case {"done": str(request_id), "key": str(key)}:
                self._done.note(request_id, key)
            case {"released": str(request_id)}:
                self._in_hand.pop(request_id, None)
            case {"ended": dict(fields)}:
                end = TaskEnd(**fields)
                self._in_hand.pop(end.request_id, None)
                self._ends.append(end)
                if end.is_done:
                    self._done.note(end.request_id, _key(end.request_id, end.name, end.ids))

    def _forget_expired(self) -> None:
        """Keep no claims of children that were killed; the oldest are in front."""
        now = monotonic()
        while self._in_hand:
            oldest = next(iter(self._in_hand))
            if self._in_hand[oldest][0] > now:
                return
            del self._in_hand[oldest]


def _datagrams(notes: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """Yield the notes as JSON arrays that fit into the socket."""
    packed: list[str] = []
    size = 0
    for note in map(json.dumps, notes):
        if packed and size + len(note) > _LARGEST_NOTE:
            yield f"[{','.join(packed)}]".encode()
            packed, size = [], 0
        packed.append(note)
        size += len(note)
    if packed:
        yield f"[{','.join(packed)}]".encode()


def _key(request_id: str, name: str, ids: Mapping[str, int]) -> str:
    """Return what tells a message from others: its id, task and arguments.

    A client may use an id again for another artifact, which is another request.
    """
    return json.dumps([request_id, name, sorted(ids.items())])


def _key_of(request_id: str, artifact: Artifact) -> str:
    name = task_name(Direction.UPLOAD, artifact.kind)
    return _key(request_id, name, ids_of(Direction.UPLOAD, artifact))


def _key_of_message(element: bytes) -> str | None:
    """Return the key of the message of an upload; None if it is another one, or in another form."""
    try:
        message = json.loads(element)
        request_id, name = message["headers"]["id"], message["headers"]["task"]
        is_base64 = message["properties"].get("body_encoding") == "base64"
        arguments, ids, _ = json.loads(b64decode(message["body"]) if is_base64 else message["body"])
        is_upload = name in _UPLOADS and not arguments
        return _key(request_id, name, ids) if is_upload else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _task_end(end: UploadEnd) -> TaskEnd:
    result = end.result
    if isinstance(result, TransferSummary):
        event, shown = _SUCCEEDED, repr(answer_of(result))
    else:
        event, shown = ending_of(result)
    return TaskEnd(
        request_id=end.request_id,
        name=task_name(Direction.UPLOAD, end.artifact.kind),
        ids=ids_of(Direction.UPLOAD, end.artifact),
        type=event,
        ended_at=time(),
        seconds=round(end.seconds, 6),
        shown=shown[:_LONGEST_SHOWN],
        is_done=_is_done(end),
    )


def _is_done(end: UploadEnd) -> bool:
    return isinstance(end.result, TransferSummary) and end.result.state is TransferState.DONE


def _log(end: TaskEnd) -> None:
    """Write the line that Celery would write of this task, at its level."""
    how = end.type.removeprefix("task-")
    is_done = end.type == _SUCCEEDED
    taken = f" in {end.seconds}s" if is_done else ""
    # The upload's own line has said that it is done.
    level = logging.DEBUG if is_done else logging.INFO
    logger.log(level, "Task %s[%s] %s%s: %s", end.name, end.request_id, how, taken, end.shown)
