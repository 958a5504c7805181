"""The OpenAPI document: every route is in it, and every answer is as it says."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # the types are not in the lock
import pytest
from starlette.routing import Route

from artifact_pipeline.domain.model.attempts import Attempt, AttemptEnd
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.web.api.routes import ENDPOINTS
from artifact_pipeline.worker.web.app import api_routes
from tests.sql.status_steps import past_attempts
from tests.sql.steps import CREATED_AT
from tests.web.steps import CONFIG, MINUTE, RESULTS, Client, World, zipped

ANSWERS: dict[str, dict[str, Any]] = {
    "/session": {},
    "/overview": {},
    "/system": {},
    "/audit": {},
    "/transfers": {},
    "/jobs": {},
    "/jobs/12": {},
    "/jobs/12/history": {},
    "/jobs/12/objects": {},
    "/jobs/12/artifacts/job_config/preview": {},
    "/jobs/12/artifacts/run_results/members": {"run_id": 4},
    "/jobs/12/artifacts/run_results/members/preview": {"run_id": 4, "member": "a.txt"},
    "/batches": {},
    "/batches/1": {},
    "/batches/1/members": {},
    "/batches/1/preview": {},
    "/quarantine": {},
    "/quarantine/transfers": {},
    "/quarantine/selection": {"reason": "poisoned"},
}
POSTS: dict[str, Any] = {
    "/batches": {"filter": {"states": ["quarantined"]}},
    "/batches/1/start": {"reason": "x"},
    "/batches/1/change": {"reason": "x", "rate": 1},
    "/batches/1/pause": {"reason": "x"},
    "/batches/1/resume": {"reason": "x"},
    "/batches/1/cancel": {"reason": "x"},
    "/jobs/12/artifacts/job_config/download": None,
}


@pytest.fixture
def full(world: World) -> World:
    """With something of everything."""
    world.add_job(12, 4, tags=["cfd"])
    world.put(CONFIG, b"{}")
    world.put(RESULTS, zipped({"a.txt": b"a"}))
    world.rows._next_id = 12
    lost = Attempt(
        number=1, began_at=None, ended_at=CREATED_AT, worker="host:1:2", end=AttemptEnd.LOST
    )
    ended: dict[str, Any] = {"finished_at": MINUTE, "past_attempts": past_attempts(lost)}
    world.rows.add(TransferState.QUARANTINED, reason_code="poisoned", **ended)
    world.rows.add(TransferState.RUNNING, lease_expires_at=-MINUTE)
    world.rows.add(
        TransferState.WAITING, reason_code="s3_unavailable", next_attempt_at=-MINUTE, attempts=1
    )
    world.rows.add(TransferState.DONE, finished_at=MINUTE, bytes_sent=1)
    return world


@pytest.fixture
def client(full: World) -> Client:
    return full.client()


@pytest.fixture
def document(client: Client) -> Any:
    return client.answer("/openapi.json")


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(reference := document.get("$ref"), str):
            yield reference
        for each in document.values():
            yield from references(each)
    elif isinstance(document, list):
        for each in document:
            yield from references(each)


def check(document: Any, path: str, method: str, answer: Any) -> None:
    """Compare an answer with the schema that the document has for it."""
    template = template_of(document, path)
    response = document["paths"][template][method]["responses"]["200"]
    schema = {
        **response["content"]["application/json"]["schema"],
        "components": document["components"],
    }
    jsonschema.Draft202012Validator(schema).validate(answer)


def template_of(document: Any, path: str) -> str:
    """Return the path in the document; one without parameters goes first."""
    parts = path.split("/")
    fitting: list[str] = [
        template
        for template in document["paths"]
        if len(template.split("/")) == len(parts)
        and all(
            a == b or a.startswith("{") for a, b in zip(template.split("/"), parts, strict=True)
        )
    ]
    return min(fitting, key=lambda template: template.count("{"))


def test_every_route_is_in_it(document: Any) -> None:
    routes = {
        (route.path, method)
        for route in api_routes()
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    documented = {
        (path, method.upper()) for path, of_path in document["paths"].items() for method in of_path
    }
    assert routes == documented


def test_it_is_a_whole_document(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    schemas = document["components"]["schemas"]
    assert {each.rpartition("/")[2] for each in references(document)} == set(schemas)
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    ids = [each["operationId"] for of in document["paths"].values() for each in of.values()]
    assert len(ids) == len(set(ids))


def test_every_parameter_of_a_path_is_described(document: Any) -> None:
    for path, of_path in document["paths"].items():
        for operation in of_path.values():
            described = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert described == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def test_every_change_needs_a_token(document: Any) -> None:
    for of_path in document["paths"].values():
        for method, operation in of_path.items():
            names = {each["name"] for each in operation["parameters"]}
            assert ("X-CSRF-Token" in names) == (method == "post")


def test_every_answer_is_as_it_says(client: Client, document: Any) -> None:
    # Given a batch
    made = client.post("/batches", POSTS["/batches"])
    check(document, "/batches", "post", made.json())
    checked = {("/batches", "post")}
    # When
    for path, query in ANSWERS.items():
        check(document, path, "get", client.answer(path, **query))
        checked.add((template_of(document, path), "get"))
    for path, body in POSTS.items():
        response = client.post(path, body)
        assert response.status_code == 200, response.text
        check(document, path, "post", response.json())
        checked.add((template_of(document, path), "post"))
    for action in ("retry", "discard"):
        shown = client.answer("/quarantine/selection", reason="poisoned")
        body = {"token": shown["token"], "count": 1, "reason": "x"}
        response = client.post(f"/quarantine/{action}", body)
        if action == "retry":
            check(document, f"/quarantine/{action}", "post", response.json())
        checked.add((f"/quarantine/{action}", "post"))
    # Then none is left out
    of_json = {(each.path, each.method.lower()) for each in ENDPOINTS if each.answer is not None}
    assert checked == of_json


def test_every_error_is_as_it_says(client: Client, document: Any) -> None:
    schema = {
        "$ref": "#/components/schemas/Problem",
        "components": document["components"],
    }
    for path in ("/jobs/99", "/jobs/x", "/nothing", "/jobs?limit=0"):
        response = client.request("GET", f"/api/v1{path}")
        assert response.headers["content-type"] == "application/problem+json"
        jsonschema.Draft202012Validator(schema).validate(response.json())
    wrong = client.request("DELETE", "/api/v1/overview")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "wrong_method")


def test_the_document_says_the_same_each_time(client: Client, document: Any) -> None:
    assert json.dumps(client.answer("/openapi.json")) == json.dumps(document)


TOO_LARGE = 2**63
WRONG: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/batches/{0}", {}),
    ("/batches/{0}/report", {}),
    ("/batches/{0}/members", {}),
    ("/batches/1/members", {"after": TOO_LARGE}),
    ("/batches", {"before": TOO_LARGE}),
    ("/audit", {"before": TOO_LARGE}),
    ("/transfers", {"before": TOO_LARGE}),
    ("/transfers", {"requested_by": "\0"}),
    ("/transfers", {"queue": "\0"}),
    ("/jobs", {"tag": "a\0"}),
    ("/jobs", {"user_id": 2**31}),
    ("/jobs/12", {"before_transfer": TOO_LARGE}),
    ("/quarantine/transfers", {"before": f"1-{TOO_LARGE}"}),
    ("/quarantine/transfers", {"before": f"{10**18 - 1}-1"}),
    ("/jobs/12/artifacts/run_results/members", {"run_id": 4, "after": TOO_LARGE}),
)
FILTERS: tuple[dict[str, Any], ...] = (
    {"user_ids": [10**13]},
    {"user_ids": [10**22]},
    {"tags": ["a\0"]},
    {"failed_after": "0001-01-01T00:00:00+14:00"},
    {"created_before": "9999-12-31T23:59:59-14:00"},
    {"older_than": "P999999999D"},
)


@pytest.mark.parametrize(("path", "query"), WRONG)
def test_a_value_that_sql_cannot_hold_is_refused(
    full: World, path: str, query: dict[str, Any]
) -> None:
    answer = full.client().get(path.format(TOO_LARGE), **query)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("filters", FILTERS, ids=range(len(FILTERS)))
def test_a_filter_that_sql_cannot_hold_is_refused(full: World, filters: dict[str, Any]) -> None:
    answer = full.client().post("/batches", {"filter": filters})
    assert answer.status_code == 422
    assert "filter" in answer.json()["detail"]


def test_a_reason_that_sql_cannot_hold_is_refused(full: World) -> None:
    for body in ({"reason": "\0"}, {"reason": "x", "bytes_per_second": 2**63}):
        assert full.client().post("/batches/1/start", body).status_code == 422


def test_a_header_that_is_no_origin_is_refused(full: World) -> None:
    answer = full.client().post("/batches/1/pause", {"reason": "x"}, headers={"Origin": "http://["})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
