"""What becomes of an element of a queue, before anybody unpacks it."""

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from celery import Celery

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import MAX_REQUEST_ID
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.message_body import LONGEST, RefusedError
from artifact_pipeline.tasks.message_headers import HORIZON
from artifact_pipeline.tasks.message_validation import check_headers, rebuild_message
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.integration.envelopes import KNOWN, SECRET, envelope
from tests.tasks.envelope_steps import BODY, TAG, body_of, taken_in, with_headers


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_message_keeps_its_id_its_task_and_its_body() -> None:
    anew = taken_in(envelope(BODY, "an id"))
    assert anew["headers"]["id"] == anew["properties"]["correlation_id"] == "an id"
    assert anew["headers"]["task"] == "artifacts.upload_job_config"
    assert body_of(anew) == json.loads(BODY)


def test_a_message_has_the_tag_that_the_channel_gives() -> None:
    assert taken_in(envelope(BODY, "an id"))["properties"]["delivery_tag"] == TAG


def test_a_message_belongs_to_the_queue_it_was_in() -> None:
    message = envelope(BODY, "an id")
    message["properties"]["delivery_info"] = {"exchange": "x", "routing_key": "unacked"}
    info = taken_in(message, "results")["properties"]["delivery_info"]
    assert info == {"exchange": "", "routing_key": "results"}


def test_headers_that_a_worker_does_not_need_are_left_out() -> None:
    unneeded = {
        "timelimit": [21_600, 21_540],
        "argsrepr": SECRET,
        "kwargsrepr": SECRET,
        "shadow": SECRET,
        "origin": SECRET,
        "ignore_result": False,
        "stamped_headers": [SECRET],
        "stamps": {SECRET: SECRET},
        "replaced_task_nesting": 3,
        # An attribute of the task's request, were it passed on.
        "is_eager": True,
        "compression": None,
        "chord": None,
    }
    assert taken_in(with_headers(**unneeded))["headers"] == taken_in(with_headers())["headers"]


@pytest.mark.usefixtures("producer")
def test_what_a_producer_sends_is_taken_in(broker: Valkey) -> None:
    # Given a message by way of Celery, and one by way of its retry
    upload_job_config.apply_async((), {"job_id": 12}, task_id="plain")
    upload_job_config.apply_async((), {"job_id": 12}, task_id="again", countdown=60, retries=2)
    # When they are taken in
    with broker.client() as client:
        elements: Any = client.lrange("configs", 0, -1)
    plain, again = (json.loads(rebuild_message(raw, "configs", TAG))["headers"] for raw in elements)
    plain, again = sorted((plain, again), key=lambda headers: headers["retries"])
    # Then they say what they said
    assert (plain["id"], plain["retries"], plain["eta"]) == ("plain", 0, None)
    assert (again["id"], again["retries"]) == ("again", 2)
    assert datetime.fromisoformat(again["eta"]) > datetime.now(UTC)


@pytest.fixture
def producer(broker: Valkey) -> Celery:
    return producer_app(broker.url)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(0, 0), (3, 3), (9, 9), (255, 9), (None, 0), (-1, 0), ("5", 5), ("-1", 0)],
    ids=repr,
)
def test_a_priority_is_one_of_ten(given: object, kept: int) -> None:
    message = envelope(BODY, "an id")
    message["properties"]["priority"] = given
    assert taken_in(message)["properties"]["priority"] == kept


def test_a_message_keeps_the_batch_it_belongs_to() -> None:
    assert taken_in(with_headers(artifacts_batch=7))["headers"]["artifacts_batch"] == 7
    assert "artifacts_batch" not in taken_in(with_headers(artifacts_batch=None))["headers"]
    assert "artifacts_batch" not in taken_in(with_headers())["headers"]


def test_the_workspace_of_a_bare_message_is_kept() -> None:
    taken = taken_in(with_headers(artifacts_workspace="host-a"))
    assert taken["headers"]["artifacts_workspace"] == "host-a"
    for none in ("", None):
        assert (
            "artifacts_workspace" not in taken_in(with_headers(artifacts_workspace=none))["headers"]
        )


def test_an_eta_that_has_come_is_none() -> None:
    for eta in (in_seconds(-1), "0001-01-01T00:00:00+23:59", None):
        assert taken_in(with_headers(eta=eta))["headers"]["eta"] is None


def test_an_eta_beyond_the_horizon_is_refused() -> None:
    horizon = HORIZON.total_seconds()
    assert taken_in(with_headers(eta=in_seconds(horizon - 60)))["headers"]["eta"]
    with pytest.raises(RefusedError, match=r"^headers\.eta$"):
        taken_in(with_headers(eta=in_seconds(horizon + 60)))


def test_a_naive_eta_is_utc() -> None:
    naive = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None)
    kept = taken_in(with_headers(eta=naive.isoformat()))["headers"]["eta"]
    assert datetime.fromisoformat(kept) == naive.replace(tzinfo=UTC)


_WRONG_HEADERS: dict[str, tuple[object, ...]] = {
    "id": (None, 5, [1], "", "x" * (MAX_REQUEST_ID + 1), SECRET, "a\x00b", "a\nb", "\x1b[2J"),
    "task": (None, [1], "", SECRET, "celery.map", "celery.chain"),
    "root_id": (5, SECRET),
    "retries": (True, -1, 2**31, 1.5, "1"),
    "artifacts_batch": ("7", -1, 2**63, [7]),
    "artifacts_workspace": ("Host", "a.b", "-a", "a" * 37, "../a", 7, ["host-a"]),
    "eta": (5, "soon", "9999-12-31T23:59:59"),
    "expires": (5, "never", {}),
    "timelimit": ("1", 5, [1, 2, 3], [SECRET]),
    "stamps": ([],),
    "stamped_headers": ({},),
    "ignore_result": (1,),
    "shadow": ([1],),
    "compression": ("bzip2", "application/x-lzma", 5, True),
    **dict.fromkeys(("callbacks", "errbacks", "chain", "chord"), (5, SECRET)),
}
_WRONG_PARTS: dict[str, tuple[object, ...]] = {
    "body": (None, "", "a", "?" * 4, [1]),
    "headers": (None, [], SECRET),
    "properties": (None, [], SECRET),
    "content-type": (None, 5, "application/x-python-serialize"),
    "content-encoding": (None, 5, "bz2", "binary"),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in _WRONG_HEADERS for value in _WRONG_HEADERS[name]]
)
def test_a_wrong_header_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(RefusedError) as refused:
        taken_in(with_headers(**{name: value}))
    assert str(refused.value) == f"headers.{name}"
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in _WRONG_PARTS for value in _WRONG_PARTS[name]]
)
def test_a_wrong_part_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(RefusedError) as refused:
        taken_in(envelope(BODY, "an id") | {name: value})
    assert str(refused.value) == name


LOOKING_LIKE_SECRETS = ["token:12345", "job?run=1", "aB3" + "x" * 37]


@pytest.mark.parametrize("given", LOOKING_LIKE_SECRETS)
def test_an_id_that_looks_like_a_secret_is_replaced(given: str) -> None:
    # When a message comes twice
    first, second = (taken_in(with_headers(id=given))["headers"]["id"] for _ in range(2))
    # Then it has the same id both times, which shows nothing of the one that was given
    assert first == second == str(UUID(first))
    assert first != taken_in(with_headers(id=given + "x"))["headers"]["id"]


@pytest.mark.parametrize("given", ["12", "job-12", "x" * 40, "user:12", "nightly 7"])
def test_another_id_is_kept(given: str) -> None:
    assert taken_in(with_headers(id=given))["headers"]["id"] == given


@pytest.mark.parametrize("name", ["callbacks", "errbacks", "chain", "chord"])
def test_links_are_ignored(name: str) -> None:
    # Given a message with another task to run, in the places where Celery looks for it
    link = [{"task": "artifacts.upload_job_input", "args": [13]}]
    message = envelope(json.dumps([[], {"job_id": 12}, {name: link}]).encode(), "an id")
    message["headers"][name] = link
    # When it is taken in, then its own task is what is left
    anew = taken_in(message)
    assert anew == taken_in(envelope(BODY, "an id"))
    assert body_of(anew) == [[], {"job_id": 12}, {}]


def test_the_first_protocol_is_translated() -> None:
    # Given a message that has all of it in its body
    body: dict[str, Any] = {"task": KNOWN, "id": "an id", "args": [12], "kwargs": {}}
    body |= {
        "eta": None,
        "expires": None,
        "utc": True,
        "callbacks": None,
        "timelimit": [None, None],
    }
    message = envelope(json.dumps(body).encode(), "an id") | {"headers": {}}
    # When it is taken in, then it is one of the second protocol
    anew = taken_in(message)
    assert (anew["headers"]["task"], anew["headers"]["id"]) == (KNOWN, "an id")
    assert body_of(anew) == [[12], {}, {}]


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress])
def test_a_packed_body_is_unpacked(compress: Callable[[bytes], bytes]) -> None:
    message = envelope(compress(BODY), "an id")
    message["headers"]["compression"] = "application/x-gzip"
    assert body_of(taken_in(message)) == [[], {"job_id": 12}, {}]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (zlib.compress(b" " * LONGEST + BODY), "size"),
        (zlib.compress(BODY)[:-4], "body"),
        (BODY, "body"),
    ],
    ids=["a bomb", "cut off", "not packed"],
)
def test_what_cannot_be_unpacked_is_refused(body: bytes, part: str) -> None:
    message = envelope(body, "an id")
    message["headers"]["compression"] = "application/x-gzip"
    with pytest.raises(RefusedError, match=f"^{part}$"):
        taken_in(message)


def test_a_body_may_be_plain_text() -> None:
    message = envelope(BODY, "an id") | {"body": BODY.decode(), "content-encoding": "UTF-8"}
    del message["properties"]["body_encoding"]
    message["properties"]["delivery_info"]["exchange"] = None
    assert body_of(taken_in(message)) == [[], {"job_id": 12}, {}]


def test_a_deep_body_is_refused() -> None:
    deep = "[" * 900 + "]" * 900
    with pytest.raises(RefusedError, match=r"^body$"):
        taken_in(envelope(f"[[{deep}], {{}}, {{}}]".encode(), "an id"))


def test_a_producer_can_ask_beforehand() -> None:
    check_headers({"task": KNOWN, "id": "an id"})
    with pytest.raises(RefusedError, match=r"^headers\.id$"):
        check_headers({"task": KNOWN, "id": "a\nb"})


@pytest.mark.parametrize(
    "element", [b"", b"\xff", SECRET.encode(), b"[" * 60_000, b"null", b"[1]", b'{"a": "\\ud800"}']
)
def test_what_is_no_object_is_refused(element: bytes) -> None:
    with pytest.raises(RefusedError):
        rebuild_message(element, "configs", TAG)


def test_what_is_too_large_is_not_even_read() -> None:
    with pytest.raises(RefusedError, match=r"^size$"):
        rebuild_message(b" " * LONGEST + json.dumps(envelope(BODY, "an id")).encode(), "c", TAG)


def test_the_largest_message_of_ours_is_far_smaller() -> None:
    ids = Artifact(ArtifactKind.RUN_RESULTS, 2**31 - 1, 2**31 - 1)
    body = json.dumps([[], {"job_id": ids.job_id, "run_id": ids.run_id}, {}]).encode()
    assert len(json.dumps(envelope(body, "x" * MAX_REQUEST_ID))) < LONGEST / 50
