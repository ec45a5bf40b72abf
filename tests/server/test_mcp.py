"""The tools, called by the SDK's own client: over pipes and over HTTP."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.support.documents import GOOD
from tests.support.service import Served
from tests.support.wire import WireServer

pytestmark = pytest.mark.may_block
TOOLS = {
    "generate_gmn",
    "validate_gmn",
    "refine_gmn",
    "simulate_gmn",
    "explain_gmn",
    "import_gmn",
}
#: It could be flat POMDP JSON or a graph.
EITHER = json.dumps(
    {
        "states": ["shut", "open"],
        "observations": ["dark", "light"],
        "actions": ["wait"],
        "parameters": {"A": [[0.9, 0.1], [0.3, 0.7]], "B": [[[1, 0], [0, 1]]]},
        "nodes": [{"id": "s", "type": "state"}],
    }
)


def data(result: Any) -> dict[str, Any]:
    found: dict[str, Any] = result.structured_content or json.loads(result.content[0].text)
    return found


async def test_over_pipes_documents_are_judged_and_run() -> None:
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "orchestrator", "serve", "--mcp"]
    )
    async with Client(stdio_client(parameters)) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        report = data(await client.call_tool("validate_gmn", {"document": GOOD}))
        assert (report["valid"], report["runs"]) == (True, True)
        run = data(await client.call_tool("simulate_gmn", {"document": GOOD, "steps": 2}))
        assert len(run["steps"]) == 2
        wrong = await client.call_tool("explain_gmn", {"document": "gmn 1.0"})
        assert wrong.is_error
        assert "GMN101" in wrong.content[0].text  # type: ignore[union-attr]  # text
        misspelled = await client.call_tool("validate_gmn", {"document": GOOD, "expectation": []})
        assert misspelled.is_error
        assert "expectation" in misspelled.content[0].text  # type: ignore[union-attr]  # text


async def test_over_http_a_sentence_becomes_a_document(wire: WireServer, running: Served) -> None:
    wire.plan("chat", GOOD)
    async with Client(f"{running.url}/mcp") as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        made = data(await client.call_tool("generate_gmn", {"prompt": "an agent"}))
        assert made["report"]["valid"]
        again = data(await client.call_tool("generate_gmn", {"prompt": "an agent"}))
        assert again["cached"]
    assert len(wire.requests) == 1


async def test_over_http_a_document_is_read_as_the_kind_that_is_named(running: Served) -> None:
    async with Client(f"{running.url}/mcp") as client:
        asked = await client.call_tool("import_gmn", {"document": EITHER})
        assert asked.is_error
        assert "GMN807" in asked.content[0].text  # type: ignore[union-attr]  # text
        named = {"document": EITHER, "kind": "flat_pomdp"}
        made = data(await client.call_tool("import_gmn", named))
        assert "labels: [shut, open]" in made["text"]
        script = data(await client.call_tool("import_gmn", {**named, "to": "pomdp"}))
        assert "states: shut open" in script["text"]
        assert data(await client.call_tool("validate_gmn", named))["valid"]
        run = data(await client.call_tool("simulate_gmn", {**named, "steps": 2}))
        assert len(run["steps"]) == 2
        assert "shut" in data(await client.call_tool("explain_gmn", named))["explanation"]


def test_nobody_listens_where_nothing_is_ever_said(running: Served) -> None:
    """Streamable HTTP: GET is a stream or a 405; a stream would hold a place of the service."""
    with running.client(headers={"Accept": "text/event-stream"}) as http:
        refused = http.get("/mcp", timeout=5)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
