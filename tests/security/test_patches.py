"""Patches that grow with every operation are findings, before the growth."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.generation.answers import _NOT_APPLICABLE as NOT_APPLICABLE
from orchestrator.generation.contract import contract_of
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.parsing.bounds import measured
from orchestrator.parsing.json_patch import MOST_WRITTEN, apply_patch
from orchestrator.types import work
from orchestrator.types.diagnostics import Report
from orchestrator.types.requests import Contract
from tests.support.documents import GOOD

OPEN: Contract[Any] = contract_of({"type": "object", "properties": {"a": {}}})


def patched(operations: object, contract: Contract[Any] = OPEN, text: str = '{"a": [1]}') -> str:
    made = contract.apply_patch(contract.evaluate(text), json.dumps(operations))
    assert len(made.text) < 4 * MOST_WRITTEN
    return "\n".join(d.message for d in made.report.diagnostics)


def doubling(rounds: int, op: str = "copy") -> list[dict[str, str]]:
    return [{"op": op, "from": "/a", "path": "/a/-"} for _ in range(rounds)]


@pytest.mark.parametrize("rounds", [22, 400])
def test_a_value_that_is_copied_into_itself_is_stopped(rounds: int) -> None:
    assert "the patch does not apply: more than" in patched(doubling(rounds))


def test_the_whole_document_copied_into_itself_is_stopped() -> None:
    chain = [{"op": "copy", "from": "", "path": "/a"} for _ in range(200)]
    assert "the patch does not apply" in patched(chain)


def test_depth_that_doubles_is_stopped() -> None:
    chain, deepest = [{"op": "replace", "path": "/a", "value": {"a": {}}}], "/a/a"
    for _ in range(12):
        chain.append({"op": "copy", "from": "/a", "path": deepest})
        deepest += deepest.removeprefix("/a")
    assert "nested in more than" in patched(chain)


def test_a_move_into_the_depth_is_measured_too() -> None:
    deep: Any = {}
    for _ in range(80):
        deep = {"a": deep}
    chain = [
        {"op": "add", "path": "/a", "value": deep},
        {"op": "add", "path": "/b", "value": deep},
        {"op": "move", "from": "/b", "path": "/a" + "/a" * 80},
    ]
    assert "nested in more than" in patched(chain)


def test_a_document_of_ours_is_no_exception() -> None:
    chain = [{"op": "copy", "from": "/states", "path": "/states/x"} for _ in range(300)]
    assert "does not apply" in patched(chain, GMNContract(), GOOD)


def test_more_operations_than_can_be_compared_are_refused() -> None:
    many = [{"op": "test", "path": "/a", "value": [1]}] * 501
    assert "501 operations, more than 500" in patched(many)
    halves = "\n".join(json.dumps(many[:n]) for n in (250, 251))
    made = OPEN.apply_patch(OPEN.evaluate('{"a": [1]}'), halves)
    assert "501 operations" in str(made.report.diagnostics)


def test_a_patch_within_the_bounds_is_applied() -> None:
    made = OPEN.apply_patch(OPEN.evaluate('{"a": [1]}'), json.dumps(doubling(8)))
    assert made.is_accepted
    assert measured(made.value) > 2**8


paths = st.sampled_from(("", "/a", "/a/-", "/a/0", "/b", "/a/0/0", "/b/b", "/a/1"))
operations = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(("copy", "move", "add", "replace", "remove")), "path": paths,
         "from": paths, "value": st.sampled_from(([], [[1]], {"b": {}}, "x" * 50))}
    ),
    max_size=60,
)  # fmt: skip


@given(operations)
def test_no_patch_outgrows_what_it_may_write(chain: list[dict[str, Any]]) -> None:
    before = {"a": [1, [2]], "b": {"b": 1}}
    try:
        made = apply_patch(before, chain)
    except NOT_APPLICABLE:
        made = before
    assert measured(made) <= measured(before) + MOST_WRITTEN
    assert before == {"a": [1, [2]], "b": {"b": 1}}


def test_equal_names_are_numbered_in_one_pass() -> None:
    named = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    wanted = {"type": "object", "properties": {"a": {"type": "array", "items": named}}}
    contract = contract_of({**wanted, "required": ["b"]})
    made = contract.evaluate(json.dumps({"a": [{"name": "a"}, {"name": "a#3"}] * 2000}))
    with work.allowance(20_000):
        view = json.loads(contract.name_keyed(replace(made, report=Report())))
        assert "- SCHEMA" in contract.explain(made)
    assert len(view["a"]) == 4000
