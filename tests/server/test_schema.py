"""The OpenAPI document: what it allows, and what it does not, is never a fault of the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks

from tests.support.documents import GOOD
from tests.support.service import Served, served, service_config
from tests.support.wire import WireServer

pytestmark = pytest.mark.may_block
_ALLOWED = schemathesis.GenerationMode.POSITIVE


@pytest.fixture(scope="module")
def keyed(wire_server: WireServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = service_config(wire_server.base, tmp_path_factory.mktemp("schema"))
    with served(config, with_keys=True) as made:
        yield made


@pytest.mark.parametrize("examples", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_no_request_of_the_document_and_none_beside_it_is_a_fault(
    wire: WireServer, keyed: Served, examples: int
) -> None:
    wire.plan("chat", "yes")
    load_all_checks()
    headers = {"Authorization": f"Bearer {keyed.app.keys.create('lab')[0]}"}
    document = schemathesis.openapi.from_url(f"{keyed.url}/openapi.json", headers=headers)
    asked = set()
    for found in document.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # an error raises here
        modes = list(schemathesis.GenerationMode) if operation.body else [_ALLOWED]

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes)))
        def holds(case: schemathesis.Case[Any]) -> None:
            # A model that fails has a status of its own; here it answers, though seldom with GMN.
            response = case.call(headers=headers, timeout=30)
            case.validate_response(
                response,
                checks=[
                    schemathesis.checks.not_a_server_error, checks.status_code_conformance,
                    checks.content_type_conformance, checks.response_schema_conformance,
                ] if response.status_code not in (502, 503) else [checks.status_code_conformance],
            )  # fmt: skip

        holds()
        asked.add(operation.path)
    assert asked == set(document.raw_schema["paths"])


def test_every_body_has_an_example_that_is_taken(wire: WireServer, keyed: Served) -> None:
    with keyed.client(keyed.app.keys.create("examples")[0]) as http:
        document = http.get("/openapi.json").json()
        schemas = document["components"]["schemas"]
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                assert operation["responses"].keys() >= {"401", "404", "413", "422", "429", "503"}
                if "requestBody" not in operation:
                    continue
                content = operation["requestBody"]["content"]["application/json"]
                name = content["schema"].get("$ref", "").rpartition("/")[2]
                schema = {**schemas.get(name, {}), **content["schema"]}
                found = content.get("example") or schema["examples"][0]
                wire.plan("chat", GOOD)
                if path == "/v1/embeddings":
                    found = {**found, "model": "chat"}
                answer = http.request(method, path.format(persona_id="pirate"), json=found)
                assert answer.status_code in (200, 201), (path, answer.text)


def test_the_document_says_which_keys_are_demanded(keyed: Served) -> None:
    with keyed.client(keyed.app.keys.create("reader")[0]) as http:
        document = http.get("/openapi.json").json()
    assert document["components"]["securitySchemes"].keys() == {"bearer", "header"}
    assert document["security"] == [{"bearer": []}, {"header": []}]
    assert document["paths"]["/healthz"]["get"]["security"] == []
    parameters = document["paths"]["/api/llm/interact"]["post"]["parameters"]
    assert "idempotency-key" in [one["name"].lower() for one in parameters]
    problem = document["paths"]["/api/models"]["get"]["responses"]["401"]["content"]
    assert "application/problem+json" in problem
