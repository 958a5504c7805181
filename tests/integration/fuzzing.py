"""Hostile messages without end, the same ones for the same seed.

Each is invalid by construction, and would upload the victim's artifact if it were taken for valid.
"""

import pickle
import random
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

from artifact_pipeline.tasks.routing import CONFIGS, DISPATCH, RESULTS, UNROUTED, UPKEEP
from tests.integration.envelopes import KNOWN, SECRET, as_base64, as_json, envelope

_QUEUES = (CONFIGS, RESULTS, UPKEEP, UNROUTED, f"{CONFIGS}\x06\x163", f"{RESULTS}\x06\x169")
_RUN_TASK = "artifacts.upload_run_results"
_OF_CELERY = ("map", "starmap", "chunks", "chain", "group", "chord", "chord_unlock", "accumulate")

# What to put into an envelope's places, and the types that would be right there.
_Path = tuple[str, ...]
_GONE = object()
_NOTHING = type(None)
_REQUIRED: dict[_Path, tuple[type, ...]] = {
    ("body",): (str,),
    ("content-type",): (str,),
    ("content-encoding",): (str,),
    ("headers",): (dict,),
    ("headers", "task"): (str,),
    ("headers", "id"): (str,),
    ("properties",): (dict,),
    ("properties", "delivery_tag"): (str,),
    ("properties", "body_encoding"): (str,),
    ("properties", "delivery_info"): (dict,),
}
_OPTIONAL: dict[_Path, tuple[type, ...]] = {
    **{("headers", name): (_NOTHING, str) for name in ("root_id", "parent_id", "group", "lang")},
    **{("headers", name): (_NOTHING, str) for name in ("eta", "expires", "origin", "shadow")},
    **{("headers", name): (_NOTHING, str) for name in ("argsrepr", "kwargsrepr")},
    ("headers", "retries"): (_NOTHING, int),
    ("headers", "group_index"): (_NOTHING, int),
    ("headers", "replaced_task_nesting"): (_NOTHING, int),
    ("headers", "ignore_result"): (_NOTHING, bool),
    ("headers", "timelimit"): (_NOTHING, list),
    ("headers", "stamped_headers"): (_NOTHING, list),
    ("headers", "stamps"): (_NOTHING, dict),
    ("properties", "priority"): (_NOTHING, int),
    ("properties", "delivery_info", "exchange"): (_NOTHING, str),
    ("properties", "delivery_info", "routing_key"): (_NOTHING, str),
    ("properties", "correlation_id"): (_NOTHING, str),
    ("properties", "reply_to"): (_NOTHING, str),
}
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 7, 1.5, float("inf"), SECRET, "", [], [SECRET], {}, {"url": SECRET}),
    *({"__type__": "uuid", "__value__": SECRET}, {"__type__": SECRET, "__value__": {}}),
)
_WRONG_TEXTS: tuple[tuple[_Path, tuple[str, ...]], ...] = (
    (("headers", "id"), ("", SECRET, "x" * 256, "a\x00b", "a\nb", "\ud800")),
    (("headers", "root_id"), (SECRET, "x" * 256, "\x1b[2J")),
    (("headers", "task"), ("", SECRET, "\ud800", *(f"celery.{name}" for name in _OF_CELERY))),
    (("headers", "eta"), (SECRET, "9999-12-31T23:59:59", "soon", "9999-12-31T23:59:59-23:59")),
    (("headers", "expires"), (SECRET, "never", "2025-99-99T00:00:00")),
    (("headers", "compression"), ("gzip", "bzip2", "application/x-lzma", SECRET)),
    (("properties", "body_encoding"), ("", "utf-8", "rot13", SECRET)),
    (("body",), ("", "a", "not base64: " + SECRET, "\ud800")),
    (("content-type",), ("", "text/plain", "application/data", "application/x-yaml", SECRET)),
    (("content-encoding",), ("", "binary", "zlib", "bz2", "rot13", SECRET)),
)
# What others say of the arguments, and of the task's name.
_QUOTED = tuple((("headers", name), SECRET) for name in ("argsrepr", "kwargsrepr", "shadow"))


@dataclass(frozen=True)
class Hostile:
    queue: str
    element: bytes


class Fuzzer:
    """All messages of one seed.

    Args:
        seed: of the sequence.
        victim: the id of a job whose config lies in the workspace.
        marker: a file that is made by whoever unpickles the pickles among them.
    """

    def __init__(self, seed: int, victim: int, marker: Path) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same in every run
        self._ids = {"job_id": victim}
        self._marker = marker
        self._wrong_types = self._one_after_the_other(
            (path, value)
            for path, right in (_REQUIRED | _OPTIONAL).items()
            for value in _VALUES
            if type(value) not in right
        )
        self._wrong_texts = self._one_after_the_other(
            (path, text) for path, texts in _WRONG_TEXTS for text in texts
        )
        self._kinds: dict[Callable[[], bytes], int] = {
            self._garbage: 10,
            self._wrong_json: 12,
            self._without_a_part: 12,
            self._with_a_wrong_type: 20,
            self._with_a_wrong_text: 15,
            self._with_a_wrong_body: 12,
            self._wanting_more: 8,
            self._pickled: 8,
            self._unknown_task: 5,
            self._wrong_arguments: 10,
            self._too_late_or_too_early: 5,
            self._large: 2,
        }

    def messages(self, count: int, huge: int) -> Iterator[Hostile]:
        """So many, and among them so many of 10 MB."""
        every = count // huge
        kinds = self._random.choices(list(self._kinds), list(self._kinds.values()), k=count)
        for number, kind in enumerate(kinds):
            element = self._huge() if number % every == every // 2 else kind()
            yield Hostile(self._random.choice(_QUEUES), element)

    def _one_after_the_other(
        self, changes: Iterable[tuple[_Path, object]]
    ) -> Iterator[tuple[_Path, object]]:
        """All of them in some order, again and again: dice would leave some out for long."""
        shuffled = list(changes)
        self._random.shuffle(shuffled)
        return cycle(shuffled)

    def _valid_but(self, *changes: tuple[_Path, object]) -> bytes:
        """A valid envelope with other values in these places."""
        request_id = str(UUID(int=self._random.getrandbits(128)))
        changed = envelope(as_json([[], self._ids, {}]), request_id)
        for path, value in changes:
            part = changed
            for step in path[:-1]:
                part = part[step]
            part[path[-1]] = value
            if value is _GONE:
                del part[path[-1]]
        return as_json(changed)

    def _garbage(self) -> bytes:
        rubbish = self._random.randbytes(self._random.randrange(2_000))
        return self._random.choice([rubbish, SECRET.encode() + rubbish, b"", b"{" + rubbish])

    def _wrong_json(self) -> bytes:
        valid = self._valid_but()
        depth = self._random.randrange(100, 20_000)
        return self._random.choice(
            [
                valid[: self._random.randrange(len(valid))],
                valid + b",",
                valid.replace(b":", b"=", 1),
                b"[" + valid + b"]",
                valid.decode().encode("utf-16"),
                b"[" * depth,
                b'{"headers":' * depth + b"1" + b"}" * depth,
                b'{"headers":' + b"9" * depth + b"}",
                as_json(self._random.choice(_VALUES)),
            ]
        )

    def _without_a_part(self) -> bytes:
        return self._valid_but((self._random.choice(list(_REQUIRED)), _GONE))

    def _with_a_wrong_type(self) -> bytes:
        return self._valid_but(next(self._wrong_types))

    def _with_a_wrong_text(self) -> bytes:
        return self._valid_but(next(self._wrong_texts))

    def _with_a_wrong_body(self) -> bytes:
        ids = self._ids
        bodies: list[Any] = [
            *([], [1], {}, None, 12, SECRET),
            *([[], ids], [[], ids, {}, {}], [ids, [], {}], [[], [], {}]),
            *([[], ids, []], [[], ids, SECRET], [[], ids, {"id": [1]}]),
            {"args": [], "kwargs": ids},
            {"task": KNOWN, "id": "1", "args": [], "kwargs": ids},
            {"__type__": "bytes", "__value__": SECRET},
        ]
        raw = [
            *map(as_json, bodies),
            *(b"\xff\xfe", b"[[], {", b"[" * 20_000, SECRET.encode()),
            b'[[], {"job_id": ' + b"9" * 5_000 + b"}, {}]",
        ]
        return self._valid_but((("body",), as_base64(self._random.choice(raw))))

    def _wanting_more(self) -> bytes:
        """Something else to run, in the places where Celery looks for it."""
        more = {"task": KNOWN, "args": [], "kwargs": self._ids, "options": {}}
        name = self._random.choice(["callbacks", "errbacks", "chain", "chord"])
        value = more if name == "chord" else [more]
        # Of a task that fails, and of one that succeeds: neither has its links run.
        task, ids = self._random.choice([(KNOWN, {"job_id": 0}), (DISPATCH, {})])
        linked: tuple[_Path, object] = (("headers", "task"), task)
        # Celery's own task of that name calls another one, and its strategy trusts every body.
        mapped = self._random.choice([[[more, [*self._ids.values()]], {}, {}], [1]])
        changes: list[list[tuple[_Path, object]]] = [
            [linked, (("headers", name), value), (("body",), as_base64(as_json([[], ids, {}])))],
            [linked, (("body",), as_base64(as_json([[], ids, {name: value}])))],
            [(("headers", "task"), "celery.map"), (("body",), as_base64(as_json(mapped)))],
        ]
        return self._valid_but(*self._random.choice(changes))

    def _pickled(self) -> bytes:
        pickled = pickle.dumps(_Bomb(self._marker), protocol=self._random.choice([0, 2, 4]))
        content_type = self._random.choice(
            ["application/x-python-serialize", "pickle", "application/data", "application/json"]
        )
        message = self._valid_but(
            (("body",), as_base64(pickled)),
            (("content-type",), content_type),
            (("content-encoding",), self._random.choice(["binary", "utf-8"])),
        )
        return self._random.choice([pickled, message])

    def _unknown_task(self) -> bytes:
        name = self._random.choice(["os.system", "artifacts.upload_job_confg", "x" * 255, "ärger"])
        body = self._random.choice([[[SECRET], {}, {}], [1], SECRET, None])
        return self._valid_but(
            (("headers", "task"), name), (("body",), as_base64(as_json(body))), *_QUOTED
        )

    def _wrong_arguments(self) -> bytes:
        ids = self._ids
        no_id = self._random.choice([SECRET, "1", 0, -1, 2**40, 1.0, None, [1]])
        task, args, kwargs = self._random.choice(
            [
                (KNOWN, [], {"job_id": no_id}),
                (KNOWN, [], {"job_id": {"__type__": "decimal", "__value__": "1"}}),
                (KNOWN, [], {**ids, "url": SECRET}),
                (KNOWN, [], {**ids, SECRET: SECRET}),
                (KNOWN, [], {**ids, "self": SECRET}),
                (KNOWN, [*ids.values(), SECRET], {}),
                (KNOWN, [*ids.values()], ids),
                (KNOWN, [], {}),
                (_RUN_TASK, [], ids),
                (_RUN_TASK, [], {**ids, "run_id": no_id}),
                (DISPATCH, [SECRET], {}),
            ]
        )
        body = as_base64(as_json([args, kwargs, None]))
        return self._valid_but((("headers", "task"), task), (("body",), body), *_QUOTED)

    def _too_late_or_too_early(self) -> bytes:
        away = timedelta(days=self._random.randrange(8, 100_000))
        name, moment = self._random.choice(
            [("eta", datetime.now(UTC) + away), ("expires", datetime.now(UTC) - away)]
        )
        return self._valid_but((("headers", name), moment.isoformat()))

    def _large(self) -> bytes:
        size = self._random.randrange(100_000, 1_000_000, 100_000)
        makes: list[Callable[[], bytes]] = [
            lambda: self._random.randbytes(size),
            lambda: self._valid_but((("headers", "argsrepr"), "x" * size)),
            lambda: self._valid_but((("headers", "compression"), "zlib"), (("body",), _bomb(size))),
        ]
        return self._random.choice(makes)()

    def _huge(self) -> bytes:
        body = [[], {**self._ids, "url": "x" * 7_500_000}, {}]
        return self._valid_but((("body",), as_base64(as_json(body))))


class _Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self._marker), "w")


@cache
def _bomb(size: int) -> str:
    """Return a body that takes 40 times as much memory when it is decompressed."""
    return as_base64(zlib.compress(b" " * size * 40))
