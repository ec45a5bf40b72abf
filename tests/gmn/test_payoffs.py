"""Utilities of states and actions: read, checked, compiled, written."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.formats import write_json, write_text
from orchestrator.gmn.model import Condition, GMNSpec, Payoff, Preference
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import GMNError
from tests.support.documents import GOOD, SHARED, plus, swapped
from tests.support.examples import share_of
from tests.support.specs import valid_specs
from tests.support.verdicts import errors, runs

TIGER = """gmn 1.0
agent tiger { type: general }
node state tiger { labels: [left, right] }
node observation hear { labels: [left, right] }
node action act { labels: [listen, open_left, open_right] }
node emission A { from: [tiger] to: hear identity noise: 0.15 noise_kind: others }
node transition B { from: [act, tiger] to: tiger rules: [
  {when: {act: listen}, then: {@stay: 1}}, {then: {left: 0.5, right: 0.5}} ] }
node belief D { about: tiger uniform }
node preference R { on: [tiger, act] rules: [
  {when: {tiger: left, act: open_left}, utility: -10},
  {when: {tiger: right, act: open_right}, utility: -10},
  {when: {act: listen}, utility: -0.1},
  {utility: 1},
] }
node policy pi { horizon: 3 gamma: 8 discount: 0.95 }
end
"""
PAYOFF = [[-0.1, -10, 1], [-0.1, 1, -10]]


def rules(on: str, text: str, document: str = SHARED) -> str:
    return plus(f"node preference R {{ on: {on} rules: [{text}] }}", document)


def test_rules_on_a_state_and_an_action_are_compiled_in_the_order_of_declaration() -> None:
    spec, compiled = runs(TIGER)
    (one,) = compiled.action_utilities
    assert (one.states, one.actions) == ((0,), (0,))
    assert one.table.tolist() == PAYOFF
    _, turned = runs(TIGER.replace("[tiger, act] rules", "[act, tiger] rules"))
    assert turned.action_utilities[0].table.tolist() == PAYOFF
    assert spec.preferences[0].on == "tiger"
    assert spec.preferences[0].given == ("act",)
    assert compiled.beyond_pymdp == ("the utility of an action", "the discount 0.95")


def test_text_and_json_say_the_same() -> None:
    spec, _ = runs(TIGER)
    assert "  on: [tiger, act]\n" in write_text(spec)
    assert "given:" not in write_text(spec)
    tree = json.loads(write_json(spec))
    assert tree["preferences"][0]["on"] == "tiger"
    assert tree["preferences"][0]["given"] == ["act"]
    assert tree["preferences"][0]["rules"][3] == {"when": [], "utility": 1.0}
    for lenient in (["tiger", "act"], ["tiger"]):
        tree["preferences"][0] |= {"on": lenient, "given": ["act"][len(lenient) - 1 :]}
        verdict = validate(json.dumps(tree))
        assert verdict.spec == spec
        assert verdict.report.repairs == ()


def test_the_first_rule_decides_none_means_0_and_several_preferences_add_up() -> None:
    one = rules(
        "[pos, go]", "{when: {pos: [a, b], go: r*}, utility: 2}, {when: {pos: 0}, utility: -1}"
    )
    assert {d.code for d in validate(one).report.errors} == {"GMN106"}  # 0 is no label of it
    one = one.replace("{pos: 0}", "{pos: 0..0}")
    _, compiled = runs(one)
    assert [u.table.tolist() for u in compiled.action_utilities] == [
        [[-1, 2, 2], [0, 2, 2], [0, 0, 0]]
    ]
    both = plus("node preference R2 { on: [go, pos] rules: [{when: {go: left}, utility: 5}] }", one)
    _, compiled = runs(both)
    assert [u.table.tolist() for u in compiled.action_utilities] == [
        [[4, 2, 2], [5, 2, 2], [5, 0, 0]]
    ]


@pytest.mark.parametrize(
    "said",
    [
        "on: go goals: {left: -1, right: -2}",
        "on: go values: [-1, 0, -2]",
        "on: go rules: [{when: {go: left}, utility: -1}, {when: {go: right}, utility: -2}]",
        "on: [go] rules: [{when: {go: left}, utility: -1}, {when: {go: right}, utility: -2}]",
    ],
)
def test_an_action_alone_has_a_cost(said: str) -> None:
    spec, compiled = runs(plus(f"node preference cost {{ {said} }}"))
    (one,) = compiled.action_utilities
    assert (one.states, one.actions, one.table.tolist()) == ((), (0,), [-1, 0, -2])
    assert validate(write_text(spec)).spec == spec


def test_rules_about_one_state_are_its_utility() -> None:
    _, goals = runs(plus("node preference V { on: pos goals: {b: 2, c: -1} }"))
    _, ruled = runs(
        plus("node preference V { on: pos rules: [{when: {pos: b}, utility: 2},"
             " {when: {pos: c}, utility: -1}] }")
    )  # fmt: skip
    assert ruled.V[0].tolist() == goals.V[0].tolist() == [0, 2, -1]
    assert ruled.action_utilities == ()


def test_several_states_together_count_in_the_state_that_is_entered() -> None:
    text = rules("[energy, pos]", "{when: {pos: c, energy: high}, utility: 4}")
    spec, compiled = runs(text)
    (one,) = compiled.action_utilities
    assert (one.states, one.actions) == ((0, 1, 2), (0,))
    pos, energy = compiled.B[0], compiled.B[1]
    assert compiled.B_dependencies[:2] == ((0,), (1, 2))
    for p in range(3):
        for e in range(2):
            for w in range(2):
                for u in range(3):
                    there = pos[2, p, u] * energy[1, e, w, u]
                    assert one.table[p, e, w, u] == pytest.approx(4 * there)
    assert validate(write_text(spec)).spec == spec


@pytest.mark.parametrize(
    ("on", "text", "code", "pointer", "words"),
    [
        ("[pos, place]", "{when: {place: a}, utility: 1}", "GMN403", "given/0", "as goals"),
        ("[place, go]", "{when: {go: left}, utility: 1}", "GMN403", "on", "as goals"),
        ("place", "{when: {place: a}, utility: 1}", "GMN403", "on", "as goals"),
        ("[pos, go]", "{when: {place: a}, utility: 1}", "GMN403", "rules/0/when/0/var", "as goals"),
        ("[pos, wind]", "{when: {pos: a}, utility: 1}", "GMN403", "given/0", "not defined"),
        ("[pos, go]", "{when: {wind: a}, utility: 1}", "GMN403", "rules/0/when/0/var", "not def"),
        ("[pos, go]", "{when: {pos: north}, utility: 1}", "GMN106", "rules/0/when/0/values/0", "a"),
        ("[pos, go]", "{when: {pos: a}, utility: NaN}", "GMN203", "", "not finite"),
        ("[pos, go]", "{when: {pos: a}, utility: 1e999}", "GMN203", "", "not finite"),
        ("[pos, go]", "{when: {pos: a}, utility: high}", "GMN008", "rules/0/utility", "a number"),
        ("[pos, go]", "{when: {pos: a}, utility: 50%}", "GMN008", "rules/0/utility", "a number"),
        ("[pos, go]", "{when: {pos: a}}", "GMN010", "rules/0", "'utility'"),
        ("[]", "{when: {pos: a}, utility: 1}", "GMN403", "on", "not defined"),
    ],
)  # fmt: skip
def test_what_rules_cannot_say_is_refused_with_its_place(
    on: str, text: str, code: str, pointer: str, words: str
) -> None:
    verdict = validate(plus(f"node preference R {{ on: {on} rules: [{text}] }}"))
    where = f"/preferences/1/{pointer}".rstrip("/")
    assert (code, where) in errors(verdict), verdict.report.errors
    found = next(d for d in verdict.report.errors if d.code == code)
    assert words in found.message
    assert found.place is not None
    assert found.place.line == GOOD.count("\n") + 1


@pytest.mark.parametrize(
    "said",
    [
        "on: [pos, go] goals: {a: 1}",
        "on: [pos, go] values: [1, 2, 3]",
        "on: [pos, go]",
        "on: pos goals: {a: 1} rules: [{when: {pos: b}, utility: 2}]",
        "on: pos values: [1, 2, 3] rules: [{when: {pos: b}, utility: 2}]",
    ],
)
def test_utilities_are_said_in_one_way(said: str) -> None:
    verdict = validate(plus(f"node preference R {{ {said} }}"))
    assert ("GMN416", "/preferences/1") in errors(verdict)


def test_a_condition_on_what_the_preference_is_not_on_puts_it_on_that_too() -> None:
    verdict = validate(TIGER.replace("on: [tiger, act]", "on: tiger"))
    assert verdict.spec == runs(TIGER)[0]
    assert [d.code for d in verdict.report.repairs] == ["GMN105"]


def test_names_and_labels_nearby_are_repaired_as_elsewhere() -> None:
    for old, new in (
        ("[tiger, act]", "[tigr, act]"),
        ("tiger: left,", "tigger: left,"),
        ("act: open_left}, u", "act: open_lft}, u"),
        ("[tiger, act]", "[tiger, act, act]"),
    ):
        verdict = validate(swapped(old, new, TIGER))
        assert verdict.spec == runs(TIGER)[0], new
        assert len(verdict.report.repairs) == 1


def test_a_renamed_variable_or_label_is_renamed_in_rules_too() -> None:
    odd = TIGER.replace("tiger", '"the tiger"').replace('agent "the tiger"', "agent tiger")
    verdict = validate(odd)
    assert verdict.report.is_accepted, verdict.report.errors
    assert verdict.spec is not None
    assert verdict.spec.preferences[0].names == ("the_tiger", "act")
    odd = TIGER.replace("open_left", '"open left"')
    verdict = validate(odd)
    assert verdict.report.is_accepted, verdict.report.errors
    assert verdict.compiled is not None
    assert verdict.compiled.action_utilities[0].table.tolist() == PAYOFF


def test_rules_that_never_apply_and_preferences_without_effect_are_dropped_and_reported() -> None:
    verdict = validate(rules("[pos, go]", "{when: {pos: a}, utility: 1}, {when: {pos: a, go: left},"
                                          " utility: 2}"))  # fmt: skip
    assert [d.code for d in verdict.report.repairs] == ["GMN215"]
    verdict = validate(rules("[pos, go]", "{utility: 3}"))
    assert [d.code for d in verdict.report.repairs] == ["GMN406"]
    assert verdict.spec is not None
    assert len(verdict.spec.preferences) == 2


def test_what_every_step_costs_has_an_effect_where_everything_can_end() -> None:
    ending = swapped("node state pos {", "node state pos { terminal: c", SHARED)
    _, compiled = runs(rules("[pos, go]", "{utility: -1}", ending))
    assert np.all(compiled.action_utilities[0].table == -1)
    _, compiled = runs(plus("node preference step { on: pos values: [-1, -1, -1] }", ending))
    assert compiled.V[0].tolist() == [-1, -1, -1]


def test_large_utilities_and_repeated_preferences_are_reported() -> None:
    found = {d.code for d in validate(TIGER.replace("-10}", "-100}")).report.diagnostics}
    assert "GMN405" in found
    twice = rules("[tiger, act]", "{when: {act: listen}, utility: 1}", TIGER.removesuffix("end\n"))
    words = [d.message for d in validate(twice).report.diagnostics if d.code == "GMN413"]
    assert words == ["2 preferences on tiger and act are added up"]


def test_an_action_that_has_a_utility_is_used_and_one_that_moves_nothing_is_not_alike() -> None:
    moved = TIGER[TIGER.index("from: [act, tiger]") : TIGER.index("node belief")]
    text = swapped(moved, "from: [tiger] to: tiger identity }\n", TIGER)
    assert {d.code for d in validate(text).report.diagnostics}.isdisjoint(
        {"GMN109", "GMN502", "GMN508", "GMN117", "GMN509"}
    )


def test_sizes_are_bounded_before_anything_is_allocated() -> None:
    driven = "".join(
        f"node state t{i} {{ size: 100 }}\nnode state w{i} {{ size: 15 }}\n"
        f"node transition T{i} {{ from: [t{i}, w{i}] to: t{i} identity }}\n"
        f"node transition W{i} {{ from: [w{i}] to: w{i} identity }}\n"
        for i in range(2)
    )
    for on, codes in (
        ("[t0, w0, t1, w1]", {"GMN702"}),
        ("[t0, t1]", {"GMN702"}),  # 10,000 themselves, and 225 times as many with what moves them
        ("[t0, go]", set()),
        ("[pos, go, t0, t1, w0, w1]", {"GMN707"}),
    ):
        document = rules(on, "{when: {t0: 1}, utility: 1}", GOOD + driven)
        assert {code for code, _ in errors(validate(document, run_steps=0))} == codes, on
    tree = runs(TIGER)[0].to_json()
    tree["preferences"][0] |= {"given": ["act"] * 100_000}  # type: ignore[index]
    goals = [{"value": "left", "utility": 1}]
    more: list[dict[str, object]] = [{}, {"rules": []}, {"rules": [], "goals": goals}]
    for said in more:
        tree["preferences"][0] |= said  # type: ignore[index]
        assert {code for code, _ in errors(validate(tree))} == {"GMN707"}
    many = ", ".join(["{when: {pos: a}, utility: 1}"] * 200)
    assert [code for code, _ in errors(validate(rules("[pos, go]", many)))] == ["GMN707"]


def test_what_was_not_checked_is_a_named_error_when_it_is_compiled() -> None:
    spec, _ = runs(TIGER)
    for names, when in (
        (("hear", "act"), "act"),
        (("tiger", "wind"), "tiger"),
        (("act",), "tiger"),
    ):
        rule = Payoff(when=(Condition(var=when, values=("left",)),), utility=1.0)
        wrong = Preference(on=names[0], given=names[1:], rules=(rule,))
        with pytest.raises(GMNError, match="compile failed"):
            compile_spec(spec.model_copy(update={"preferences": (wrong,)}))


def test_utilities_beyond_a_float_are_refused() -> None:
    text = TIGER.replace("utility: 1}", "utility: 1e308}")
    assert ("GMN901", "") in errors(validate(text))


@settings(max_examples=share_of(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(valid_specs(), st.data())
def test_rules_come_to_what_they_say(spec: GMNSpec, data: st.DataObject) -> None:
    ruled = [p for p in spec.preferences if p.rules and p.given]
    if not ruled:
        return
    for preference in ruled:
        compiled = compile_spec(spec.model_copy(update={"preferences": (preference,)}))
        if not any(a.name in preference.names for a in spec.actions):
            continue
        (one,) = compiled.action_utilities
        at = {v.name: data.draw(st.integers(0, v.n - 1)) for _, v in spec.variables()}
        labels = {v.name: v.names[at[v.name]] for _, v in spec.variables()}
        expected = next(
            (
                rule.utility
                for rule in preference.rules
                if all(labels[c.var] in c.values for c in rule.when)
            ),
            0.0,
        )
        place = [at[spec.states[f].name] for f in one.states]
        place += [at[compiled.actions[k].name] for k in one.actions]
        assert one.table[tuple(place)] == expected


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(
        ["tiger", "act", "hear", "left", "listen", "*", "0..1", "@stay", "95%", "1/2", "", "tigr"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["when", "then", "utility", "var", "values", "tiger", "act", "x"]), inner,
        max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip
TIGER_JSON = write_json(runs(TIGER)[0])
PLACES = ("on", "given", "rules", "terminal", "discount", "selection", "learn", "concentration")


@settings(max_examples=share_of(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(PLACES), odd, min_size=1, max_size=3))
def test_whatever_stands_there_is_a_verdict_and_what_is_accepted_reads_back_equal(
    said: dict[str, object],
) -> None:
    tree = json.loads(TIGER_JSON)
    parts = {
        **dict.fromkeys(("on", "given", "rules"), tree["preferences"][0]),
        **dict.fromkeys(("discount", "selection"), tree["policy"]),
        **dict.fromkeys(("learn", "concentration"), tree["transitions"][0]),
        "terminal": tree["states"][0],
    }
    for key, value in said.items():
        parts[key][key] = value
    verdict = validate(tree)
    if verdict.report.is_accepted:
        assert verdict.spec is not None
        for text in (write_text(verdict.spec), write_json(verdict.spec)):
            again = validate(text)
            assert again.spec == verdict.spec
            assert again.report.repairs == ()


@pytest.mark.parametrize("rules", ["preference", "transition"])
def test_a_range_beyond_the_last_label_is_cut_and_that_is_said(rules: str) -> None:
    text = TIGER.replace("{when: {act: listen}, utility", "{when: {act: 0..0}, utility")
    text = text.replace("{utility: 1}", "{when: {act: 1..9}, utility: 1}")
    if rules == "transition":
        text = swapped(
            "shift moves: {left: [-1], stay: [0], right: [1]}",
            "rules: [{when: {go: 1..9}, then: {@stay: 1}}, {then: {a: 1}}]",
        )
    made = validate(text, run_steps=0)
    (said,) = (d for d in made.report.repairs if d.code == "GMN106")
    assert "'1..9' is not in" in said.message
    assert made.spec is not None
    assert "1..2" in write_text(made.spec)
    assert "1..9" not in write_text(made.spec)
    (error,) = validate(text, run_steps=0, repair="none").report.errors
    assert error.code == "GMN106"
