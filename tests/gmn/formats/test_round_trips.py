"""Documents go out and come back equal, and every valid one runs."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.generation.gmn_contract import from_name_keyed_model, to_name_keyed_model
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.formats import coerce, read, write_json, write_text
from orchestrator.gmn.formats.schema import as_schema_asks, strict_schema
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from tests.support.examples import share_of
from tests.support.specs import valid_specs

STRICT = jsonschema.Draft202012Validator(strict_schema())
FEW = settings(
    max_examples=share_of(30), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def again(text: str) -> GMNSpec | None:
    reading = read(text)
    assert reading.findings == ()
    assert reading.repairs == ()
    assert reading.tree is not None
    conformed = coerce(reading.tree)
    assert conformed.findings == ()
    assert conformed.repairs == ()
    return conformed.spec


@FEW
@given(valid_specs())
def test_block_text_reads_back_equal(spec: GMNSpec) -> None:
    text = write_text(spec)
    back = again(text)
    assert back == spec
    assert write_text(back) == text


@pytest.mark.no_cover  # the same lines many times
@FEW
@given(valid_specs())
def test_json_reads_back_equal_fat_and_lean(spec: GMNSpec) -> None:
    for text in (write_json(spec), write_json(spec, lean=True), write_json(spec, indent=None)):
        assert again(text) == spec


@pytest.mark.no_cover  # the same lines many times
@FEW
@given(valid_specs())
def test_the_name_keyed_view_goes_back_to_the_same_document(spec: GMNSpec) -> None:
    view = json.loads(json.dumps(to_name_keyed_model(spec)))
    assert coerce(from_name_keyed_model(view)).spec == spec


@pytest.mark.no_cover  # the same lines many times
@FEW
@given(valid_specs())
def test_the_form_that_the_schema_asks_for_says_the_same_model(spec: GMNSpec) -> None:
    shown = as_schema_asks(spec)
    STRICT.validate(shown)
    assert again(json.dumps(shown)) == spec


@pytest.mark.no_cover  # the same lines many times
@FEW
@given(valid_specs())
def test_a_valid_document_is_not_repaired_compiles_and_simulates(spec: GMNSpec) -> None:
    verdict = validate(spec)
    assert verdict.report.errors == ()
    assert verdict.report.runs is True
    assert {d.code for d in verdict.report.repairs} <= {
        "GMN215"
    }  # a rule that happens to be hidden
    model = compile_spec(spec)
    for array in (*model.A, *model.B, *model.D):
        np.testing.assert_allclose(array.sum(axis=0), 1.0, atol=1e-9)
    assert simulate(model, steps=3, seed=1) == simulate(model, steps=3, seed=1)


@pytest.mark.no_cover  # the same lines many times
@FEW
@given(valid_specs())
def test_compiled_arrays_read_back_as_the_same_model(spec: GMNSpec) -> None:
    model = compile_spec(spec)
    arrays = json.loads(json.dumps(model.to_json()))
    verdict = validate(arrays, run_steps=0)
    assert verdict.spelling == "arrays"
    if verdict.compiled is None:
        assert {d.code for d in verdict.report.errors} <= {"GMN111", "GMN301"}
        return
    for ours, theirs in zip(model.A, verdict.compiled.A, strict=True):
        np.testing.assert_allclose(ours, theirs)
    for ours, theirs in zip(model.B, verdict.compiled.B, strict=True):
        np.testing.assert_allclose(ours, theirs)


@settings(max_examples=share_of(60), deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_at_all_give_a_verdict(source: bytes) -> None:
    report = validate(source).report
    assert not report.is_valid
    assert all(d.message for d in report.errors)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
SECTIONS = st.sampled_from([*GMNSpec.model_fields, "nodes", "A", "B", "parameters"])


@settings(max_examples=share_of(80), deadline=None)
@given(st.dictionaries(SECTIONS, json_values, max_size=6))
def test_any_json_in_any_section_gives_a_verdict(tree: dict[str, object]) -> None:
    validate(tree)
    validate(json.dumps(tree))


@FEW
@given(valid_specs(), st.data())
def test_a_damaged_document_gives_a_verdict(spec: GMNSpec, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([write_text(spec), write_json(spec)]))
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 20))
    junk = data.draw(st.text(alphabet="{}[]:,;\"'#@.0a \n-", max_size=8))
    validate(text[:at] + junk + text[at + length :])
