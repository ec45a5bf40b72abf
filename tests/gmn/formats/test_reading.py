"""What readers take, what they repair, and where they say it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.generation.gmn_contract import from_name_keyed_model, to_name_keyed_model
from orchestrator.generation.request_building import load_library
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.examples import Example
from orchestrator.gmn.formats import SourceMap, coerce, read, write_json, write_text
from orchestrator.gmn.formats.schema import as_schema_asks
from orchestrator.gmn.limits import Limits
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from orchestrator.parsing.scalars import long_number_in
from orchestrator.types.diagnostics import Position
from tests.support.documents import GOOD, plus, swapped
from tests.support.specimens import ROWS


def spec_of(source: str | bytes) -> GMNSpec:
    verdict = validate(source)
    assert verdict.spec is not None, verdict.report.errors
    assert verdict.report.errors == ()
    return verdict.spec


def test_findings_point_to_the_line_and_column_of_the_text() -> None:
    report = validate(swapped("about: pos", "about: nowhere")).report
    (error,) = [d for d in report.errors if d.code == "GMN105"]
    assert error.place == Position(8, 24)
    assert str(error).startswith("8:24: GMN105 error:")


@pytest.mark.parametrize("spelling", ["text", "json"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_of_10000_digits_is_called_that_and_nothing_else(spelling: str, sign: str) -> None:
    text = GOOD if spelling == "text" else json.dumps(spec_of(GOOD).to_json())
    report = validate(text.replace("0.8", sign + "9" * 10_000, 1)).report
    first = report.errors[0]
    assert "a number of 10,000 digits; at most 4,300 digits are read" in str(first)
    assert first.place == Position(6, 49) if spelling == "text" else first.place
    assert not any("comma" in str(one) or " inf " in str(one) for one in report.diagnostics)
    assert not any("comma" in str(one) for one in report.repairs)


def test_a_number_that_no_float_holds_is_called_by_its_digits() -> None:
    (error,) = validate(swapped("[[0.8", "[[" + "9" * 400)).report.errors
    assert "a number of 400 digits; at most 1.8e308 is computed with" in error.message


def test_a_long_string_in_the_place_of_a_number_is_shown_cut() -> None:
    for old, new in (("[[0.8", f'[["{"9" * 10_000}"'), ("horizon: 2", f"horizon: {'x' * 10_000}")):
        (error,) = validate(swapped(old, new)).report.errors
        assert len(error.message) < 200


def test_places_in_json_are_found_when_a_finding_needs_them() -> None:
    text = json.dumps(spec_of(GOOD).to_json(), indent=2).replace('"of": "place"', '"of": "plaice_"')
    error = next(d for d in validate(text).report.errors if d.code == "GMN105")
    assert error.place is not None
    assert "plaice_" in text.splitlines()[error.place.line - 1]


def test_a_pointer_below_what_was_written_falls_back_to_its_ancestor() -> None:
    places = SourceMap("ab\ncd", {"/x": 3})
    assert places.of("/x/y/0") == Position(2, 1)
    assert places.of("/z") is None


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "```\n{}```",
        "Sure! Here it is:\n\n```gmn\n{}```\n\nLet me know.",
        "Here is the model you asked for.\n\n{}",
        "{}\nI hope this helps you",
        "# a comment of the author\n{}",
        "\ufeff{}",
    ],
)
def test_fences_and_prose_around_a_document_do_not_matter(around: str) -> None:
    assert spec_of(around.replace("{}", GOOD)) == spec_of(GOOD)


def test_json_in_prose_and_fences_is_found() -> None:
    text = write_json(spec_of(GOOD))
    assert spec_of(f"Of course.\n```json\n{text}```\nDone.") == spec_of(GOOD)
    assert spec_of(f"The document: {text}") == spec_of(GOOD)
    assert spec_of(f'{{"gmn": {text}}}') == spec_of(GOOD)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"name"', "'name'"),
        (', "description"', ',, "description"'),
        ('"gmn": "1.0",', '"gmn": "1.0", // the version\n'),
        ('"selection"', "selection"),
    ],
)
def test_json_with_slips_is_read_leniently_and_says_so(old: str, new: str) -> None:
    text = json.dumps(spec_of(GOOD).to_json())
    assert old in text
    verdict = validate(text.replace(old, new, 1))
    assert verdict.spec == spec_of(GOOD)
    assert "GMN009" in {d.code for d in verdict.report.repairs}


def test_what_is_missing_at_the_very_end_is_added() -> None:
    assert spec_of(GOOD.rstrip().rstrip("}")) == spec_of(GOOD)
    text = json.dumps(spec_of(GOOD).to_json())
    assert spec_of(text[:-1]) == spec_of(GOOD)


def test_a_key_given_twice_in_json_is_only_fine_when_equal() -> None:
    text = json.dumps(spec_of(GOOD).to_json())
    equal = text.replace('"name": "walker"', '"name": "walker", "name": "walker"')
    assert "GMN004" in {d.code for d in validate(equal).report.repairs}
    other = text.replace('"name": "walker"', '"name": "walker", "name": "other"')
    assert "GMN004" in {d.code for d in validate(other).report.errors}


def test_a_property_given_twice_in_text_is_only_fine_when_equal() -> None:
    same = validate(swapped("horizon: 2", "horizon: 2 horizon: 2")).report
    assert same.is_valid
    assert "GMN004" in {d.code for d in same.repairs}


def test_a_broken_node_is_reported_and_the_rest_is_read() -> None:
    text = swapped("node belief D { about: pos", "node belief D { about: ]")
    reading = read(text)
    assert [d.code for d in reading.findings] == ["GMN002"]
    assert reading.tree is not None
    assert "policy" in reading.tree


def test_many_syntax_errors_are_counted_rather_than_listed() -> None:
    reading = read("node state x { ] }\n" * 500)
    assert len(reading.findings) < 30
    assert "reading stopped here" in reading.findings[-1].message


@pytest.mark.parametrize(
    ("sugar", "canonical"),
    [
        ("noisy_identity: 0.9", "identity noise: 0.1 noise_kind: others"),
        ("kind: identity", "identity"),
        ("matrix: [[0.8, 0.2, 0], [0, 1, 0], [0, 0, 1]]",
         "rows: [[0.8, 0.2, 0], [0, 1, 0], [0, 0, 1]]"),
        ("sparse: [[a, a, 1], [b, b, 1], [c, a, 0.5], [c, c, 0.5]]",
         "rows: [[1, 0, 0], [0, 1, 0], [0.5, 0, 0.5]]"),
        ("matrix: identity", "identity"),
    ],
)  # fmt: skip
def test_sugar_means_its_expansion(sugar: str, canonical: str) -> None:
    rows = "rows: [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]"
    made = [validate(swapped(rows, form)).compiled for form in (sugar, canonical)]
    assert made[0] is not None
    assert made[1] is not None
    assert made[0].A[0].tolist() == made[1].A[0].tolist()


def test_stay_and_initial_are_sugar_for_tables() -> None:
    text = swapped("node belief D { about: pos rows: [[0.5, 0.3, 0.2]] }\n", "").replace(
        "node state pos {", "node state pos { initial: b"
    )
    assert spec_of(text).priors[0].table.map == ("b",)
    spread = text.replace("initial: b", "initial: [0.2, 0.3, 0.5]")
    assert spec_of(spread).priors[0].table.rows == ((0.2, 0.3, 0.5),)
    assert spec_of(text.replace("initial: b", "initial: uniform")).priors[0].table.kind == "uniform"
    assert spec_of(text.replace("initial: b", "initial: {map: [c]}")).priors[0].table.map == ("c",)


def test_legacy_preferences_name_what_is_liked() -> None:
    text = swapped("values: [0, 1, 3]", "preferred_observation: c preference_strength: 2.5")
    (preference,) = spec_of(text).preferences
    assert [(g.value, g.utility) for g in preference.goals] == [("c", 2.5)]


def test_curiosity_spelled_as_a_preference_becomes_information_gain() -> None:
    text = swapped("values: [0, 1, 3]", "values: exploration_bonus").replace(
        "gamma: 8", "gamma: 8 info_gain: false"
    )
    verdict = validate(text)
    assert verdict.spec is not None
    assert verdict.spec.policy.info_gain
    assert "GMN409" in {d.code for d in verdict.report.repairs}


def test_symbolic_grid_moves_are_spelled_out() -> None:
    text = """node state position { num_states: 9 }
node observation seen { num_observations: 9 }
node action move { num_actions: 5 }
node emission A { from: [position] to: seen identity noise: 0.1 }
node transition B { from: [position, move] to: position matrix: deterministic_grid_transitions }
"""
    spec = spec_of(text)
    assert spec.transitions[0].table.kind == "grid"
    assert spec.states[0].shape == (3, 3)
    assert spec.actions[0].labels == ("up", "down", "left", "right", "stay")


def test_a_goal_gradient_falls_with_the_steps_to_the_goal() -> None:
    text = swapped("values: [0, 1, 3]", "goal_gradient: {goal: c, utility: 4, decay: 0.5}").replace(
        "rows: [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]", "identity"
    )
    spec = spec_of(text)
    assert spec.preferences[0].values == ()
    assert compile_spec(spec).C[0].tolist() == [1.0, 2.0, 4.0]
    assert "goal_gradient: {goal: c, utility: 4, decay: 0.5}" in write_text(spec)
    assert again(spec) == spec
    added = spec_of(text.replace("goal_gradient", "values: [1, 0, 0] goal_gradient"))
    assert compile_spec(added).C[0].tolist() == [2.0, 2.0, 4.0]


def again(spec: GMNSpec) -> GMNSpec:
    """A document through every form of it, each of which must keep what was written."""
    for form in (
        write_text(spec),
        write_json(spec),
        write_json(spec, lean=True),
        json.dumps(as_schema_asks(spec)),
    ):
        assert spec_of(form) == spec
    made = coerce(from_name_keyed_model(to_name_keyed_model(spec))).spec
    assert made is not None
    return made


@pytest.mark.parametrize("example", load_library(), ids=lambda e: e.name)
def test_a_curated_model_keeps_what_was_written_through_every_form(example: Example) -> None:
    assert again(example.spec) == example.spec
    said = [line for line in example.text.splitlines() if not line.startswith("#")]
    assert write_text(example.spec).splitlines() == said


@pytest.mark.parametrize(
    "bad", ["{goal: z}", "{goal: c, utility: high}", "{utility: 4}", "{goal: c, decay: 3}", "7"]
)
def test_a_goal_gradient_that_cannot_be_expanded_is_an_error(bad: str) -> None:
    text = swapped("values: [0, 1, 3]", f"goal_gradient: {bad}").replace(
        "rows: [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]", "identity"
    )
    assert not validate(text).report.is_valid


@pytest.mark.parametrize(("value", "read_as"), [('"3"', 3), ("3.0", 3), ('" 3 "', 3)])
def test_numbers_in_other_clothes_are_read_and_reported(value: str, read_as: int) -> None:
    text = json.dumps(spec_of(GOOD).to_json()).replace('"horizon": 2', f'"horizon": {value}')
    verdict = validate(text)
    assert verdict.spec is not None
    assert verdict.spec.policy.horizon == read_as
    assert "GMN008" in {d.code for d in verdict.report.repairs}


@pytest.mark.parametrize("value", ["true", "[2]", "{}", '"two"'])
def test_what_is_no_number_is_an_error(value: str) -> None:
    text = json.dumps(spec_of(GOOD).to_json()).replace('"gamma": 8.0', f'"gamma": {value}')
    assert "GMN008" in {d.code for d in validate(text).report.errors}


def test_percent_signs_and_truth_words_are_understood() -> None:
    tree = spec_of(GOOD).to_json()
    tree["policy"] = {"horizon": 2, "gamma": 8, "info_gain": "no"}
    conformed = coerce(tree)
    assert conformed.spec is not None
    assert conformed.spec.policy.info_gain is False
    assert "GMN008" in {d.code for d in conformed.repairs}
    tree["policy"] = {"info_gain": "perhaps"}
    assert [d.code for d in coerce(tree).findings] == ["GMN008"]


def test_sections_keyed_by_name_are_read_as_lists() -> None:
    tree = spec_of(GOOD).to_json()
    states = tree["states"]
    assert isinstance(states, list)
    tree["states"] = {state["name"]: {"labels": state["labels"]} for state in states}
    tree["metadata"] = {"k": "v"}
    verdict = validate(tree)
    assert verdict.report.is_valid
    assert verdict.spec is not None
    assert verdict.spec.meta("k") == "v"


def test_limits_of_the_reader_hold_before_anything_is_built() -> None:
    small = Limits(document_bytes=100)
    assert [d.code for d in read(GOOD, limits=small).findings] == ["GMN704"]
    few = Limits(written_numbers=3)
    assert "GMN707" in {d.code for d in read(GOOD, limits=few).findings}


def test_bytes_that_are_no_text_say_where() -> None:
    (found,) = read(b"gmn 1.0\nnode \xff").findings
    assert (found.code, found.place) == ("GMN001", Position(2, 6))


def test_labels_that_need_quotes_survive_the_text() -> None:
    text = GOOD.replace("[a, b, c]", '[true, "null", c]')
    spec = spec_of(text)
    assert spec.states[0].labels == ("true", "null", "c")
    assert spec_of(write_text(spec)) == spec


def test_legacy_block_text_reads() -> None:
    text = """
node state location { num_states: 4 state_labels: [n, e, s, w]; }
node observation seen { num_observations: 4 }
node action go { num_actions: 2, action_names: [stay, on] }
node likelihood A { given: location of: seen values: [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]] }
node transition B { depends_on: [location, go] of: location identity }
node belief D { state: location vector: [0.25, 0.25, 0.25, 0.25] }
node preference C { observation: seen vector: [0, 0, 1, 0] }
node policy p { planning_horizon: 2 }
"""
    spec = spec_of(text)
    assert spec.states[0].labels == ("n", "e", "s", "w")
    assert spec.policy.horizon == 2


def test_a_mapping_that_is_a_document_needs_no_text() -> None:
    assert validate(spec_of(GOOD).to_json()).spec == spec_of(GOOD)
    assert [d.code for d in validate({}).report.errors] == ["GMN013"]


def test_queries_round_trip_and_unknown_effects_are_named() -> None:
    query = ('node llm_query q { trigger: every_n_steps trigger_value: 3 prompt: """Where\nnow?""" '
             "effect: note }")  # fmt: skip
    spec = spec_of(plus(query))
    assert spec.queries[0].prompt == "Where\nnow?"
    assert spec_of(write_text(spec)) == spec
    report = validate(plus(query.replace("effect: note", "effect: explode"))).report
    assert "GMN601" in {d.code for d in report.errors}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("values: [0, 1, 3]", "goals: {c: 3, c: 1}"),
        ("values: [0, 1, 3]", "rules: [{when: {pos: a}, utility: 1, utility: 2}]"),
        (ROWS, "rules: [{when: {pos: a}, then: {a: 1}, then: {b: 1}}, {then: {c: 1}}]"),
        (ROWS, "rules: [{when: {pos: a, pos: b}, then: {a: 1}}, {then: {c: 1}}]"),
        ("{left: [-1], ", "{left: [-1], left: [1], "),
        ("gamma: 8", "gamma: 8 habit: {go: [1, 2, 3], go: [3, 2, 1]}"),
    ],
)
def test_what_is_said_twice_inside_of_a_property_is_an_error(old: str, new: str) -> None:
    errors = validate(swapped(old, new)).report.errors
    assert "GMN004" in {d.code for d in errors}
    (found,) = (d for d in errors if d.code == "GMN004")
    assert found.place is not None
    assert "different values" in found.message


def test_what_is_said_twice_alike_counts_once() -> None:
    once = validate(swapped("values: [0, 1, 3]", "goals: {c: 3}"))
    twice = validate(swapped("values: [0, 1, 3]", "goals: {c: 3, c: 3}"))
    assert twice.spec == once.spec
    assert [d.code for d in twice.report.repairs] == ["GMN004"]


def test_broken_json_that_says_something_twice_is_an_error_too() -> None:
    text = json.dumps(validate(GOOD).spec.to_json())  # type: ignore[union-attr]
    text = text.replace('"horizon": 2', '"horizon": 2 "horizon": 3', 1)
    assert "GMN004" in {d.code for d in validate(text).report.errors}
    text = text.replace('"name": "walker"', '"name": "walker", "name": "other"', 1)
    assert len([d for d in validate(text).report.errors if d.code == "GMN004"]) == 2


def test_another_spelling_of_a_property_that_is_there_is_not_passed_over_in_silence() -> None:
    verdict = validate(swapped("horizon: 2", "horizon: 2 planning_horizon: 5"))
    assert verdict.spec == validate(GOOD).spec
    (found,) = verdict.report.repairs
    assert (found.code, "planning_horizon" in found.message) == ("GMN007", True)


def test_json_may_key_conditions_and_outcomes_by_their_names() -> None:
    text = swapped(ROWS, "rules: [{when: {pos: [a, b]}, then: {a: 0.5, b: 0.5}}, {then: {c: 1}}]")
    verdict = validate(text)
    assert verdict.spec is not None
    tree = json.loads(json.dumps(verdict.spec.to_json()))
    table = tree["likelihoods"][0]["table"]
    table["rules"] = [
        {"when": {"pos": ["a", "b"]}, "then": {"a": 0.5, "b": 0.5}},
        {"when": {}, "then": {"c": 1}},
    ]
    again = validate(json.dumps(tree))
    assert again.spec == verdict.spec
    assert again.report.repairs == ()


@pytest.mark.parametrize("text", ['description: "where it is', 'description: "it is }'])
def test_words_of_a_string_that_is_never_closed_are_not_taken_for_properties(text: str) -> None:
    document = GOOD.replace("{ labels: [a, b, c] }", "{ labels: [a, b, c]\n  " + text + "\n}", 1)
    found = validate(document, run_steps=0).report
    assert "GMN005" in {one.code for one in found.diagnostics}
    assert "GMN007" not in {one.code for one in (*found.diagnostics, *found.repairs)}
    other = document.replace(text, "colour: red\n  " + text)
    found = validate(other, run_steps=0).report
    assert "'colour'" in str([one for one in found.repairs if one.code == "GMN007"])


@pytest.mark.parametrize("value", [10**4300, -(10**5000)], ids=["just", "far"])
@pytest.mark.parametrize(
    ("place", "pointer"),
    [
        (("states", 0, "size"), "/states/0/size"), (("name",), "/name"), (("gmn",), "/gmn"),
        (("states", 0, "labels"), "/states/0/labels"), (("anything", "else"), "/anything/else"),
    ],
)  # fmt: skip
def test_a_number_that_python_cannot_write_is_a_finding_with_its_place(
    place: tuple[Any, ...], pointer: str, value: int
) -> None:
    document: dict[str, Any] = {
        "gmn": "1.0",
        "name": "a",
        "states": [{"name": "s"}],
        "anything": {},
    }
    inside: Any = document
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    (found,) = validate(document).report.errors
    assert (found.code, found.pointer) == ("GMN010", pointer)
    assert "more than 4,300 digits" in found.message
    inside[place[-1]] = {value: [value]}
    assert [one.pointer for one in validate(document).report.errors] == [pointer]


def test_a_document_that_holds_itself_is_looked_at_once() -> None:
    document: dict[str, Any] = {"name": "a", "big": 10**4299}
    document["one"] = document["other"] = [document, document]
    assert long_number_in(document) is None
    document["big"] *= 10
    assert long_number_in(document) == ("big",)
