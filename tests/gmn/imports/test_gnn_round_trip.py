"""Documents go out as GNN and come back as the identical model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.imports.gnn import read
from orchestrator.gmn.imports.gnn_write import write
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import GMNError
from tests.support.examples import share_of
from tests.support.specs import valid_specs

if TYPE_CHECKING:
    from orchestrator.gmn.compile import Compiled

FEW = settings(
    max_examples=share_of(40), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def sayable(spec: GMNSpec) -> GMNSpec:
    """The same without what GNN has no place for."""
    seen = {o.name for o in spec.observations}
    repeated = {t.of for t in spec.transitions if t.of not in t.given}
    return spec.model_copy(
        update={
            "states": tuple(s.model_copy(update={"terminal": ()}) for s in spec.states),
            "preferences": tuple(p for p in spec.preferences if p.on in seen),
            "queries": (),
            "transitions": tuple(
                t.model_copy(update={"learn": t.learn and t.of not in repeated})
                for t in spec.transitions
            ),
        }
    )


def assert_same(one: Compiled, other: Compiled) -> None:
    for key in ("A", "B", "C", "D"):
        for ours, theirs in zip(getattr(one, key), getattr(other, key), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.E, other.E, rtol=0, atol=1e-12)
    for key in ("A_dependencies", "B_dependencies", "B_action_dependencies"):
        assert getattr(one, key) == getattr(other, key)
    for key in ("horizon", "gamma", "selection", "info_gain", "discount", "inference"):
        assert getattr(one, key) == getattr(other, key)
    for key in ("states", "observations", "actions"):
        assert [(v.name, v.names) for v in getattr(one, key)] == [
            (v.name, v.names) for v in getattr(other, key)
        ]
    for ours, theirs in zip(one.learned, other.learned, strict=True):
        assert (ours.kind, ours.index) == (theirs.kind, theirs.index)
        assert ours.concentration == pytest.approx(theirs.concentration)


@FEW
@given(valid_specs())
def test_what_is_written_reads_back_as_the_identical_model(spec: GMNSpec) -> None:
    spec = sayable(spec)
    text = write(spec)
    found = read(text)
    assert found.errors == ()
    assert found.notes == ()
    back = GMNSpec.model_validate(found.document)
    assert_same(compile_spec(spec), compile_spec(back))
    assert (back.name, back.agent_type, back.metadata) == (
        spec.name, spec.agent_type, spec.metadata,
    )  # fmt: skip
    assert back.description.strip() == spec.description.strip()
    again = GMNSpec.model_validate(read(write(back)).document)
    assert_same(compile_spec(back), compile_spec(again))


LOOK = [[0.9, 0.1], [0.2, 0.8]]
PASSIVE: dict[str, Any] = {
    "name": "weather",
    "states": [{"name": "sky", "labels": ["sun", "rain"]}],
    "observations": [{"name": "look", "labels": ["dry", "wet"]}],
    "likelihoods": [
        {"of": "look", "given": ["sky"], "table": {"kind": "rows", "rows": LOOK}}
    ],
    "transitions": [
        {"of": "sky", "given": ["sky"], "table": {"kind": "rows", "rows": [[0.7, 0.3], [0.5, 0.5]]}}
    ],
    "priors": [{"of": "sky", "table": {"kind": "map", "map": ["sun"]}}],
}  # fmt: skip


def test_models_without_actions_and_with_one_of_one_label() -> None:
    spec = GMNSpec.model_validate(PASSIVE)
    assert_same(
        compile_spec(spec), compile_spec(GMNSpec.model_validate(read(write(spec)).document))
    )
    one = {**PASSIVE, "actions": [{"name": "wait", "labels": ["on"]}]}
    one["transitions"] = [{**PASSIVE["transitions"][0], "given": ["wait", "sky"]}]
    spec = GMNSpec.model_validate(one)
    assert_same(
        compile_spec(spec), compile_spec(GMNSpec.model_validate(read(write(spec)).document))
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"preferences": [{"on": "sky", "goals": [{"value": "sun", "utility": 1}]}]}, "of states"),
        ({"states": [{**PASSIVE["states"][0], "terminal": ["rain"]}]}, "terminal labels"),
    ],
)
def test_what_gnn_cannot_say_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(GMNError, match=words):
        write(GMNSpec.model_validate({**PASSIVE, **change}))


@settings(max_examples=share_of(120), deadline=None)
@given(st.data())
def test_any_text_gives_a_document_or_errors(data: st.DataObject) -> None:
    whole = write(GMNSpec.model_validate(PASSIVE))
    pieces = ["## ", "StateSpaceBlock\n", "A={", "(", ")", "}", "0.5,", "s[3]", ">", "-", "#", "\n",
              "B", "=", "[", "1e999", "InitialParameterization\n", "uniform"]  # fmt: skip
    junk = st.lists(st.sampled_from(pieces) | st.text(max_size=3), max_size=20).map("".join)
    text = data.draw(junk | st.text(max_size=200))
    at = data.draw(st.integers(0, len(whole)))
    cut = data.draw(st.integers(0, 30))
    for one in (text, whole[:at] + text + whole[at + cut :], whole[:at] + text):
        found = read(one)
        assert bool(found.document) != bool(found.errors)
        if found.document:
            validate(found.document, run_steps=0)
