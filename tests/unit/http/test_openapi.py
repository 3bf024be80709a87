"""The description against the code that it is made from."""

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from starlette.routing import Route

from gateway import errors
from gateway.chat.parameters import CHECKS
from gateway.errors import GatewayError, RequestError
from gateway.http import described, openapi
from gateway.http.admin.operations import OPERATIONS
from gateway.http.urls import routes

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
FIELDS = {
    "document": {"openapi", "info", "servers", "paths", "components", "security"},
    "path": {"parameters", "servers"} | METHODS,
    "operation": {"summary", "description", "tags", "security", "parameters", "requestBody", "responses"},
    "response": {"description", "headers", "content", "links"},
}


@pytest.fixture(scope="module")
def document() -> Any:
    """As it is sent."""
    return orjson.loads(orjson.dumps(openapi.document()))


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Path, method and description of each."""
    for path, item in document["paths"].items():
        yield from ((path, method, item[method]) for method in METHODS & set(item))


def every(value: Any, key: str) -> Iterator[Any]:
    """What stands under a key, anywhere."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for inner in value.values():
            yield from every(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from every(inner, key)


def test_what_is_served_is_described_and_nothing_else(document: Any) -> None:
    """Paths and methods are the same on both sides, but for OPTIONS and HEAD, and `/v1` which the edge takes off."""
    served = {
        (re.sub(r":path}", "}", route.path), method.lower())
        for route in routes()
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"OPTIONS", "HEAD"}
    }
    shown = {(path, method) for path, method, _ in operations(document)}
    edge = {(path, "post") for path in ("/v1/chat/completions", "/agents/{agent}/v1/chat/completions")}
    assert shown - edge == served and edge <= shown


def test_it_is_an_openapi_document(document: Any) -> None:
    """Only fields of OpenAI's own places stand there, each operation has an answer, each parameter is declared.

    https://spec.openapis.org/oas/v3.1.1#schema-0
    """
    assert document["openapi"] == "3.1.1" and set(document) == FIELDS["document"]
    assert {"title", "version"} <= set(document["info"])
    for path, item in document["paths"].items():
        assert path.startswith("/") and set(item) <= FIELDS["path"]
        declared = [one["name"] for one in item.get("parameters", ())]
        assert declared == re.findall(r"{(\w+)}", path)
        assert all(one["in"] == "path" and one["required"] and one["schema"] for one in item.get("parameters", ()))
    for path, method, one in operations(document):
        assert set(one) <= FIELDS["operation"] and one["summary"], path
        assert any(status.startswith("2") for status in one["responses"]), path
        for status, answer in one["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d|default", status) and set(answer) <= FIELDS["response"]
            assert answer["description"], (path, method, status)
            assert all("schema" in content for content in answer["content"].values())


def test_schemas_are_json_schemas_and_references_lead_somewhere(document: Any) -> None:
    """Each component is valid JSON Schema of 2020-12, which OpenAPI 3.1 takes; none is unused, none is missing."""
    components = document["components"]["schemas"]
    for name, schema in components.items():
        Draft202012Validator.check_schema(schema)
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
    used = {one.removeprefix("#/components/schemas/") for one in every(document, "$ref")}
    assert used == set(components)


def test_what_is_made_leads_to_where_it_is_shown(document: Any) -> None:
    """A link goes to an operation that there is, and hands it a parameter of its path out of the answer's schema."""
    links = [(name, link) for each in every(document, "links") for name, link in each.items()]
    assert {name.partition("_")[0] for name, _ in links} == {"get", "post", "delete"} and len(links) >= 9
    for name, link in links:
        assert re.fullmatch(r"[a-zA-Z0-9._-]+", name)
        _, _, path, method = link["operationRef"].split("/")
        path = path.replace("~1", "/")
        assert method in document["paths"][path]
        assert [f"{{{each}}}" in path for each in link["parameters"]] == [True]


def test_security_names_what_is_declared(document: Any) -> None:
    """Three headers hold a key; the path may, for the chat only, and health needs none."""
    schemes = document["components"]["securitySchemes"]
    assert {name for one in every(document, "security") for each in one for name in each} == set(schemes)
    assert schemes["bearer"]["scheme"] == "bearer" and schemes["api-key"]["in"] == "header"
    assert document["paths"]["/livez"]["get"]["security"] == []
    by_path = {
        path: any("/k/" in each["url"] for each in item.get("servers", ())) for path, item in document["paths"].items()
    }
    assert {path for path, with_capability in by_path.items() if with_capability} == {
        path for path in by_path if path.endswith(("/chat/completions", "/models", "/models/{model}"))
    }


def test_every_error_is_in_the_envelope(document: Any) -> None:
    """All codes and types of the tree, whoever adds one."""
    inner = document["components"]["schemas"]["Error"]["properties"]["error"]["properties"]
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, GatewayError)]
    assert len(kinds) > 30
    assert {kind.code for kind in kinds} == set(inner["code"]["anyOf"][0]["enum"])
    assert {kind.type for kind in kinds} == set(inner["type"]["enum"])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_an_operation_is_described_as_it_is(operation: Any, document: Any) -> None:
    """Its body, its answer and the errors that it says it has."""
    one = document["paths"][operation.path][operation.method.lower()]
    answer = one["responses"][str(operation.status)]["content"]["application/json"]["schema"]
    assert answer == {"$ref": f"#/components/schemas/{operation.gives.__name__}"}
    for error in operation.errors:
        assert f"`{error.code}`" in one["responses"][str(error.status)]["description"]
    if operation.uploads:
        assert set(one["requestBody"]["content"]) == set(operation.uploads)
        assert {each["name"] for each in one["parameters"]} == set(operation.takes.__dataclass_fields__)
        assert operation.takes.__name__ not in document["components"]["schemas"]
    elif "requestBody" in one:
        body = one["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": f"#/components/schemas/{operation.takes.__name__}"}
    schema = document["components"]["schemas"][operation.gives.__name__]
    assert schema["additionalProperties"] is False and schema["description"]


def test_a_chat_request_is_described_by_its_checks(document: Any) -> None:
    """Every parameter that is passed on is named, with the kinds of values that its check takes."""
    properties = document["components"]["schemas"]["ChatCompletionRequest"]["properties"]
    assert set(CHECKS) <= set(properties)
    assert properties["temperature"]["type"] == ["number", "null"]
    assert properties["max_tokens"]["type"] == ["integer", "null"]
    assert properties["stop"]["type"] == ["string", "array", "null"]
    assert properties["tool_choice"]["type"] == ["string", "object", "null"]
    assert properties["logprobs"]["type"] == ["boolean", "null"]


@pytest.mark.parametrize("name", CHECKS)
def test_a_kind_that_is_not_described_is_refused(name: str) -> None:
    """What the description does not name the check does not take."""
    values = {"boolean": True, "integer": 1, "number": 0.5, "string": "a", "array": ["a"], "object": {"a": 1}}
    kinds = described.kinds(name)
    assert kinds
    for kind, value in values.items():
        if kind not in kinds and not (kind == "integer" and "number" in kinds):
            with pytest.raises(RequestError):
                CHECKS[name](name, value)
