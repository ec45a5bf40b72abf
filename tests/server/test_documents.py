"""Documents over HTTP: their tables, other forms, differences, and the curated models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD
from tests.support.service import Served, served, service_config
from tests.support.wire import WireServer

pytestmark = pytest.mark.may_block


@pytest.fixture(scope="module")
def running(wire_server: WireServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(service_config(wire_server.base, tmp_path_factory.mktemp("documents"))) as made:
        yield made


@pytest.fixture
def http(running: Served) -> Iterator[httpx.Client]:
    with running.client() as client:
        yield client


def curated(http: httpx.Client, name: str) -> str:
    text: str = http.get(f"/api/gmn/library/{name}").json()["text"]
    return text


def table_of(found: dict[str, Any], table: str, of: str) -> dict[str, Any]:
    return next(one for one in found["tables"] if (one["table"], one["of"]) == (table, of))


def test_a_table_has_labelled_rows_with_their_sums(http: httpx.Client) -> None:
    found = http.post("/api/gmn/tables", json={"document": curated(http, "tmaze")}).json()
    assert [one["name"] for one in found["states"]] == ["loc", "ctx"]
    reward = table_of(found, "likelihood", "reward")
    assert reward["columns"] == ["none", "cheese", "shock"]
    row = next(
        one for one in reward["rows"] if one["given"] == {"loc": "left", "ctx": "cheese_left"}
    )
    assert row["values"] == [0.0, 0.98, 0.02]
    assert row["sum"] == pytest.approx(1)
    assert len(table_of(found, "transition", "loc")["rows"]) == 16
    assert found["preferences"][0]["values"] == [0.0, 3.0, -6.0]


def test_a_row_that_does_not_sum_to_one_is_shown_as_it_stands(http: httpx.Client) -> None:
    wrong = curated(http, "thermostat").replace(
        "[[0.5, 0.3, 0.1, 0.05, 0.05]]", "[[0.5, 0.3, 0.5, 0, 0]]"
    )
    assert "0.5, 0, 0" in wrong
    found = http.post("/api/gmn/tables", json={"document": wrong}).json()
    assert table_of(found, "prior", "temperature")["rows"][0]["sum"] == pytest.approx(1.3)


def test_a_large_table_is_sent_in_parts_that_say_what_is_left(http: httpx.Client) -> None:
    large = curated(http, "explorer").replace("[5, 5]", "[20, 20]").replace("r4c4", "r19c19")
    found = http.post("/api/gmn/tables", json={"document": large}).json()
    moves = table_of(found, "transition", "pos")
    action = found["actions"][0]
    assert len(moves["rows"]) + moves["rows_left_out"] == 400 * action["size"]
    labels = {action["name"]: action["labels"][1], "pos": "r1c1"}
    part = {"document": large, "of": "pos", "table": "transition", "labels": labels}
    only = http.post("/api/gmn/tables", json=part).json()["tables"]
    assert [row["given"] for row in only[0]["rows"]] == [labels]
    later = http.post("/api/gmn/tables", json={**part, "labels": {}, "first": 400}).json()["tables"]
    assert later[0]["rows"][0]["given"]["pos"] == "r0c0"


@pytest.mark.parametrize("document", ["", "hello", "gmn 1.0\nagent a {\n", '{"states": 3}'])
def test_what_cannot_be_drawn_is_refused_with_its_findings(
    http: httpx.Client, document: str
) -> None:
    found = http.post("/api/gmn/tables", json={"document": document})
    assert found.status_code in (200, 422)
    if found.status_code == 422 and document:
        assert found.json()["diagnostics"]


@pytest.mark.parametrize("form", ["gmn", "json", "pymdp", "pymdp-script", "gnn", "pomdp"])
def test_a_document_in_another_form_reads_back(http: httpx.Client, form: str) -> None:
    found = http.post("/api/gmn/import", json={"document": GOOD, "to": form}).json()
    assert found["file"].rpartition(".")[2] in ("gmn", "json", "py", "md", "POMDP")
    if form == "pymdp-script":
        compile(found["text"], found["file"], "exec")
    else:
        assert validate(found["text"]).report.is_valid
    refused = http.post("/api/gmn/import", json={"document": GOOD, "to": "pdf"})
    assert refused.status_code == 422


def test_two_documents_are_compared_in_sentences(http: httpx.Client) -> None:
    before = curated(http, "tmaze")
    same = http.post("/api/gmn/diff", json={"before": before, "document": before}).json()
    assert same == {"same": True, "differences": [], "behaviour": ""}
    after = before.replace("[0, 3, -6]", "[0, 5, -6]")
    found = http.post("/api/gmn/diff", json={"before": before, "document": after}).json()
    assert not found["same"]
    assert "cheese" in " ".join(found["differences"])
    wrong = http.post("/api/gmn/diff", json={"before": before, "document": "gmn 1.0"})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:gmn:problem:invalid_document")


def test_the_curated_models_are_listed_and_read(http: httpx.Client) -> None:
    listed = http.get("/api/gmn/library").json()
    assert {"tmaze", "thermostat"} <= {one["name"] for one in listed}
    for one in listed:
        assert validate(curated(http, one["name"]), run_steps=0).report.is_valid
    missing = http.get("/api/gmn/library/nothing")
    assert missing.status_code == 404
    assert "tmaze" in missing.json()["detail"]
