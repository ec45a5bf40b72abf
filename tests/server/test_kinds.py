"""Documents of other tools over HTTP: read as the kind that is named, written in any form."""

from __future__ import annotations

from typing import get_args

import httpx
import pytest

from orchestrator.gmn.imports import FORMS, KINDS
from orchestrator.server.bodies import DocumentKind, Form
from tests.support.documents import GOOD
from tests.support.wire import WireServer

pytestmark = pytest.mark.may_block


#: It could be a graph or arrays; each reading is a model.
EITHER = {
    "nodes": [
        {"id": "s", "type": "state", "properties": {"num_states": 2}},
        {
            "id": "o",
            "type": "observation",
            "properties": {"num_observations": 2, "matrix": [[0.7, 0.2], [0.3, 0.8]]},
        },
    ],
    "edges": [{"source": "s", "target": "o", "type": "generates"}],
    "A": [[[0.9, 0.1, 0], [0.1, 0.9, 1]]],
    "B": [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]],
}


def test_a_document_that_could_be_several_kinds_is_read_as_the_one_that_is_named(
    http: httpx.Client,
) -> None:
    asked = http.post("/api/gmn/validate", json={"document": EITHER}).json()
    assert [d["code"] for d in asked["diagnostics"]] == ["GMN807"]
    assert http.post("/api/gmn/explain", json={"document": EITHER}).status_code == 422
    for kind, values in (("graph", "2"), ("arrays", "3")):
        named = {"document": EITHER, "kind": kind}
        assert http.post("/api/gmn/validate", json=named).json()["valid"]
        assert http.post("/api/gmn/simulate", json={**named, "steps": 2}).status_code == 200
        said = http.post("/api/gmn/explain", json=named).json()["explanation"]
        assert f"{values} values" in said
        made = http.post("/api/gmn/import", json=named).json()
        assert (made["kind"], made["form"]) == (kind, "gmn")
        assert f"size: {values}" in made["text"]
        assert "GMN804" in {d["code"] for d in made["repairs"]}
        drawn = http.post("/api/gmn/tables", json={**named, "table": "likelihood"}).json()
        assert {one["table"] for one in drawn["tables"]} == {"likelihood"}
        assert f"{drawn['states'][0]['size']}" == values
    unknown = http.post("/api/gmn/validate", json={"document": GOOD, "kind": "yaml"})
    assert unknown.status_code == 422


def test_each_of_two_documents_that_are_compared_has_a_kind(http: httpx.Client) -> None:
    both = {"before": EITHER, "document": EITHER, "kind": "graph"}
    assert http.post("/api/gmn/diff", json=both).json()["type"].endswith("invalid_document")
    for kind, is_same in (("graph", True), ("arrays", False)):
        found = http.post("/api/gmn/diff", json={**both, "before_kind": kind}).json()
        assert found["same"] is is_same


def test_a_document_is_written_in_the_form_that_is_asked_for(http: httpx.Client) -> None:
    made = http.post("/api/gmn/import", json={"document": GOOD, "to": "gnn"}).json()
    assert made["text"].startswith("## GNN")
    again = http.post("/api/gmn/import", json={"document": made["text"], "kind": "gnn"}).json()
    assert "node state pos" in again["text"]
    pomdp = http.post("/api/gmn/import", json={"document": GOOD, "to": "pomdp"}).json()
    assert "the horizon" in pomdp["left_out"]
    assert http.post("/api/gmn/import", json={"document": "x: 1"}).status_code == 422
    assert http.post("/api/gmn/import", json={"document": GOOD, "to": "yaml"}).status_code == 422


def test_a_document_of_a_named_kind_is_changed_as_feedback_says(
    wire: WireServer, http: httpx.Client
) -> None:
    wire.plan("chat", '[{"op": "add", "path": "/preferences/o", "value": {"goals": {"1": 2}}}]')
    wanted = {"document": EITHER, "feedback": "prefer 1"}
    assert http.post("/api/gmn/refine", json=wanted).status_code == 422
    assert wire.requests == []
    http.post("/api/gmn/refine", json={**wanted, "kind": "graph"})
    assert "0.7" in str(wire.requests[0])


def test_the_kinds_and_forms_of_the_interface_are_those_of_the_language() -> None:
    assert get_args(DocumentKind) == tuple(KINDS)
    assert get_args(Form) == tuple(FORMS)
