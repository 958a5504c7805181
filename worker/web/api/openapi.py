"""The OpenAPI 3.1 document, made from the endpoints and their models."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from artifact_pipeline.worker.web.access.csrf import HEADER, SAFE_METHODS
from artifact_pipeline.worker.web.api.endpoints import PATH_PARAMETERS, Endpoint
from artifact_pipeline.worker.web.api.models.base import Problem
from artifact_pipeline.worker.web.api.models.system import Role

PATH = "/openapi.json"
_SCHEMA = "#/components/schemas/{model}"


def openapi(endpoints: Sequence[Endpoint], root: str) -> dict[str, Any]:
    """Return the document. Args: `root` the path of the API."""
    references, definitions = _schemas(tuple(endpoints))
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, references)
    paths[PATH] = {"get": _document_itself(references)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Artifact pipeline",
            "version": version("artifact-pipeline"),
            "description": "Times are ISO 8601 in UTC, ages are seconds, and sizes are bytes.",
        },
        "servers": [{"url": root}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"password": {"type": "http", "scheme": "basic"}},
        },
        # Without logins, or behind a proxy, no password is asked for.
        "security": [{"password": []}, {}],
    }


def _operation(endpoint: Endpoint, references: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": {
            "200": _answer(endpoint, references),
            "default": _problem(references),
        },
    }
    if endpoint.role is Role.OPERATOR:
        operation["description"] = f"Needs the role `{Role.OPERATOR}`."
    if endpoint.method not in SAFE_METHODS:
        operation["parameters"].append(_CSRF)
    if endpoint.body is not None:
        content = {"application/json": {"schema": references[endpoint.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


_CSRF = {
    "name": HEADER,
    "in": "header",
    "required": True,
    "description": "`csrf_token` of the session.",
    "schema": {"type": "string"},
}


def _answer(endpoint: Endpoint, references: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    schema = {"type": "string"} if endpoint.answer is None else references[endpoint.answer]
    content = {endpoint.media_type: {"schema": schema}}
    return {"description": endpoint.summary, "content": content}


def _path_parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    for name in endpoint.parameters:
        schema = TypeAdapter(PATH_PARAMETERS[name]).json_schema()
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    if endpoint.query is None:
        return
    schema = endpoint.query.model_json_schema()
    definitions = schema.get("$defs", {})
    for name, of_field in schema.get("properties", {}).items():
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _inlined(of_field, definitions),
        }


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return a schema with its references replaced; a query has no models in models."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        return _inlined(definitions[reference.rpartition("/")[2]], definitions)
    return {name: _inlined(each, definitions) for name, each in schema.items()}


@cache
def _schemas(
    endpoints: tuple[Endpoint, ...],
) -> tuple[dict[type[BaseModel], Any], dict[str, Any]]:
    """Return a reference to each model, and the schemas by their names."""
    answers = {each.answer for each in endpoints if each.answer is not None}
    bodies = {each.body for each in endpoints if each.body is not None}
    modes: list[tuple[set[type[BaseModel]], JsonSchemaMode]] = [
        ({*answers, Problem}, "serialization"),
        ({*bodies}, "validation"),
    ]
    wanted = [(model, mode) for models, mode in modes for model in models]
    wanted.sort(key=lambda each: each[0].__name__)
    references, document = models_json_schema(wanted, ref_template=_SCHEMA)
    return {model: references[model, mode] for model, mode in wanted}, document["$defs"]


def _problem(references: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    return {
        "description": "The request failed.",
        "content": {"application/problem+json": {"schema": references[Problem]}},
    }


def _document_itself(references: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "summary": "This document.",
        "parameters": [],
        "responses": {
            "200": {
                "description": "This document.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "default": _problem(references),
        },
    }
