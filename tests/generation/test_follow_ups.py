"""Follow-up questions on the wire: each holds the task, the document so far, and the findings."""

from __future__ import annotations

import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import Orchestrator
from orchestrator.generation.request_building import examples_for, load_library
from orchestrator.gmn.formats.bounded import bounded_patch
from orchestrator.parsing.json_patch import PATCH_SCHEMA, plain_operation
from orchestrator.parsing.patch_reader import read_patch
from orchestrator.routing.output_modes import takes_strictly
from tests.support.wire import Reply, WireServer, configured
from tests.wire.protocols import Asked

SENTENCE = 'A lift that waits """ for people'
LIFT = """gmn 1.0
agent lift { type: general }
node state floor { labels: [low, high] }
node observation door { labels: [low, high] }
node action go { labels: [stay, move] }
node emission A { from: [floor] to: door identity noise: 0.1 }
node transition B { from: [go, floor] to: floor rules: [{when: {go: move, floor: low}, then: {high: 1}}, {when: {go: move}, then: {low: 1}}, {then: {@stay: 1}}] }
node belief D { about: floor uniform }
node preference C { on: WHERE goals: {high: 3} }
node policy pi { horizon: 2 gamma: 8 }
"""  # noqa: E501
GOOD, FAULTY = LIFT.replace("WHERE", "door"), LIFT.replace("WHERE", "nowhere")
REPAIR: list[dict[str, Any]] = [
    {"op": "remove", "path": "/preferences/nowhere"},
    {
        "op": "add",
        "path": "/preferences/door",
        "value": {"goals": [{"value": "high", "utility": 3}]},
    },
]
TASK: dict[str, Any] = {
    "constraints": {"max_states": 9}, "expectations": ["door=high within 9 in 10%"],
}  # fmt: skip


def strictly(operations: list[dict[str, Any]]) -> str:
    """The operations in the form that the schema asks for."""
    spelled = [
        {"op": o["op"], "path": o["path"], "from": o.get("from", ""),
         "value": json.dumps(o["value"]) if "value" in o else ""}
        for o in operations
    ]  # fmt: skip
    return json.dumps({"operations": spelled})


def said(body: dict[str, Any]) -> str:
    """Everything that a request says."""
    return "\n".join(str(turn["content"]) for turn in body["messages"])


def holds_the_task(body: dict[str, Any]) -> None:
    """Fails unless a request holds the sentence, its constraint, its expectation, and a finding."""
    text = said(body)
    assert "A lift that waits ''' for people" in text
    assert "max_states=9" in text
    assert "door=high within 9 in 10%" in text


def unbounded(part: Any) -> Any:
    """A schema without its bounds."""
    if isinstance(part, list):
        return [unbounded(one) for one in part]
    if not isinstance(part, dict):
        return part
    bounds = {"maxItems", "maxLength", "pattern"}
    return {name: unbounded(one) for name, one in part.items() if name not in bounds}


@pytest.mark.parametrize("spelled", [strictly(REPAIR), json.dumps(REPAIR)])
async def test_a_patch_is_asked_for_with_the_task_and_the_schema_of_its_operations(
    wire: WireServer, spelled: str
) -> None:
    wire.plan("m", FAULTY, spelled)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_gmn(SENTENCE, **TASK)
    assert [a.purpose for a in made.attempts] == ["generate", "patch"]
    first, second = wire.requests
    holds_the_task(second)
    assert second["messages"][: len(first["messages"])] == first["messages"]  # providers cache it
    assert '"nowhere"' in said(second)  # the document and the finding
    form = second["response_format"]["json_schema"]
    # A server of the user's own is held to bounds, any other gets the schema without them.
    assert (form["strict"], form["schema"]) == (True, bounded_patch())
    assert made.attempts[1].request.schema is PATCH_SCHEMA
    assert unbounded(bounded_patch()) == PATCH_SCHEMA
    assert takes_strictly(PATCH_SCHEMA)


async def test_a_deployment_that_takes_no_schema_gets_the_form_of_a_patch_in_words(
    wire: WireServer,
) -> None:
    wire.plan("m", FAULTY, json.dumps(REPAIR))
    async with Orchestrator(configured(wire.base, "m", generation={"mode": "prompt"})) as orc:
        await orc.generate_gmn(SENTENCE, **TASK)
    second = wire.requests[1]
    holds_the_task(second)
    assert "response_format" not in second
    assert "JSON list of operations" in second["messages"][-1]["content"]


async def test_a_patch_that_fails_and_a_rewrite_are_asked_for_with_the_task(
    wire: WireServer,
) -> None:
    wire.plan("m", FAULTY, "no", "no", GOOD)
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.generate_gmn(SENTENCE, **TASK)
    assert [a.purpose for a in made.attempts][1:] == ["patch", "patch", "rewrite"]
    for body in wire.requests[1:]:
        holds_the_task(body)
    assert '"nowhere"' in said(wire.requests[2])
    names = [body["response_format"]["json_schema"]["name"] for body in wire.requests]
    assert names == ["gmn", "json_patch", "json_patch", "gmn"]


async def test_the_stronger_route_is_asked_with_the_task(wire: WireServer) -> None:
    useless = json.dumps(
        [{"op": "add", "path": "/preferences/elsewhere", "value": {"values": [0, 1]}}]
    )
    wire.plan("m", FAULTY, useless, "")
    wire.plan("big", strictly(REPAIR))
    config = configured(wire.base, "m", "big", routes={"default": ["m"], "strong": ["big"]})
    async with Orchestrator(config) as orc:
        await orc.generate_gmn(SENTENCE, **TASK)
    (asked,) = wire.asked("big")
    holds_the_task(asked)
    assert '"nowhere"' in said(asked)


async def test_every_round_of_a_change_holds_the_wish_and_the_bounds(wire: WireServer) -> None:
    spoil: list[dict[str, Any]] = [{"op": "replace", "path": "/policy/gamma", "value": -5}]
    wire.plan("m", strictly(spoil), "no", "no", GOOD.replace("gamma: 8", "gamma: 9"))
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.refine_gmn(GOOD, 'Be sharper """', **TASK)
    assert [a.purpose for a in made.attempts] == ["patch", "patch", "patch", "rewrite"]
    for body in wire.requests:
        assert "Be sharper '''" in said(body)
        assert "max_states=9" in said(body)
        assert "door=high within 9 in 10%" in said(body)
    names = [body["response_format"]["json_schema"]["name"] for body in wire.requests]
    assert names == ["json_patch", "json_patch", "json_patch", "gmn"]


async def test_a_refused_schema_leaves_the_patch_to_words(wire: WireServer) -> None:
    sharper = json.dumps([{"op": "replace", "path": "/policy/gamma", "value": 9}])

    def decide(asked: Asked) -> Reply:
        named = next((n for n in ("response_format", "tools") if n in asked.body), "")
        words = f"{named} is not supported"
        return Reply(status=400, error_message=words) if named else Reply(sharper)

    wire.decide = decide
    async with Orchestrator(configured(wire.base, "m")) as orc:
        await orc.refine_gmn(GOOD, "Be sharper")
    assert "JSON list of operations" in wire.requests[-1]["messages"][-1]["content"]
    assert "JSON list of operations" not in said(wire.requests[0])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip
DOCUMENTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


def patched(before: object, text: str) -> object:
    """`before` after the patch in a text."""
    reading = read_patch(text)
    assert reading.operations is not None, reading.problem
    made: object = jsonpatch.apply_patch(before, reading.operations)
    return made


@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_means_the_same_in_both_forms(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    operations = jsonpatch.make_patch(before, after).patch
    if operations:
        assert patched(before, strictly(operations)) == after
        assert patched(before, json.dumps(operations)) == after


def test_a_value_that_is_not_json_is_the_text_itself_and_a_clash_of_keys_a_finding() -> None:
    operation = {"op": "add", "path": "/goal", "from": "", "value": "open"}
    assert plain_operation(operation) == {"op": "add", "path": "/goal", "value": "open"}
    twice = {**operation, "value": '{"a": 1, "a": 2}'}
    assert "'a' twice" in read_patch(json.dumps({"operations": [twice]})).problem
    of_ones_own = {"op": "add", "path": "/label", "value": "3"}  # RFC 6902: a text is a text
    assert patched({}, json.dumps([of_ones_own])) == {"label": "3"}


def test_no_example_carries_metadata_that_a_model_could_copy() -> None:
    metadata = 'type: general\n metadata: {prompt: "secret", assumptions: "x"}\n}'
    own = GOOD.replace("{ type: general }", f"{{\n {metadata}")
    library = load_library()
    shown = list(examples_for("x", "general", [own, library[0].spec], count=1))
    shown += [t for e in library for t in examples_for(e.prompt, "general", None, count=1)]
    assert len(shown) > 10
    assert [t for t in shown if "metadata" in t or "secret" in t or "expect" in t] == []
