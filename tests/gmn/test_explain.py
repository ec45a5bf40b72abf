"""Plain English, the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.gmn.validate import validate
from orchestrator.gmn.words.explain import explain, passages
from tests.gmn.test_payoffs import TIGER
from tests.support.documents import GOOD, SHARED, swapped, without

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"


def words(text: str) -> str:
    spec = validate(text).spec
    assert spec is not None
    assert explain(spec) == explain(spec)
    return explain(spec)


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.gmn")), ids=lambda path: path.stem)
def test_every_curated_model_can_be_explained(path: Path) -> None:
    text = words(path.read_text())
    assert 400 < len(text) < 3500
    for phrase in ("Hidden from it", "It senses", "It starts with", "What it wants", "It looks"):
        assert phrase in text
    for line in text.split("\n"):
        assert "  " not in line.removeprefix("  ")
        assert line == line.rstrip()


def test_the_numbers_that_matter_are_told() -> None:
    text = words((LIBRARY / "explorer.gmn").read_text())
    for phrase in (
        "5x5 grid of 25 cells",
        "with a 10% chance a random value takes its place",
        "with a 10% chance it stays as it is instead",
        "if move is up: 1 row up",
        "pos: r0c0",
        "cell: r4c4 +4\n",
        "cell: r3c4, r4c3 +3.2\n",
        '"reach the far corner"',
        "125 plans",
        "  S . . . .\n",
        "  . . . . G\n",
    ):
        assert phrase in text


def test_every_rule_row_and_number_of_a_table_is_said() -> None:
    diagnosis = words((LIBRARY / "diagnosis.gmn").read_text())
    for phrase in (
        "if act is quick_test and disease is none: clear 80%, fever 20%",
        "if act is sent_home, antivirals or antibiotics: harmed 90%, unsettled 10%",
        "otherwise: unsettled 100%",
        "disease: none 40%, flu 40%, pneumonia 20%",
        "if order is send_home: sent_home",
        "health: cured +3; unsettled 0; harmed -8",
    ):
        assert phrase in diagnosis
    trader = words((LIBRARY / "trader.gmn").read_text())
    assert "if market is flat: up 15%, steady 70%, down 15%" in trader
    warehouse = words((LIBRARY / "warehouse.gmn").read_text())
    assert "if move is handle and pos is r0c3 and parcel is on_shelf: carried 95%" in warehouse
    assert "no step leads into r1c1 or r1c2" in warehouse
    assert "  S . . .\n  . # # .\n" in warehouse
    assert "if parcel is on_shelf: waiting" in warehouse  # labels that are not those of the parent
    assert "1 place towards swamped 80%" in words((LIBRARY / "coordinator.gmn").read_text())
    assert "ends on the other side" in words((LIBRARY / "patrol.gmn").read_text())
    assert "over the edge" not in words((LIBRARY / "tmaze.gmn").read_text())  # it never steps


def test_every_probability_of_a_table_of_rows_is_said() -> None:
    text = words(swapped("[0.1, 0.8, 0.1]", "[0.1000001, 0.7999999, 0.1]"))
    assert "if pos is b: a 10.00001%, b 79.99999%, c 10%" in text


#: 30 values, seen as they are by a table of 30 rows; asked for, habitual, and moved by globs.
LONG = f"""gmn 1.0
agent long {{ type: explorer metadata: {{expect: "seen=v3 within 9"}} }}
node state at {{ labels: [{", ".join(f"v{n}" for n in range(30))}] }}
node observation seen {{ labels: [{", ".join(f"v{n}" for n in range(30))}] }}
node action go {{ labels: [on, off] }}
node emission A {{ from: [at] to: seen
  map: [{", ".join(f"v{(n + 1) % 30}" for n in range(30))}] noise: 0.25 }}
node transition B {{ from: [go, at] to: at rules: [
  {{when: {{at: [v1*, v20]}}, then: {{@-2: 0.5, v2*: 0.5}}}},
  {{when: {{go: on}}, then: {{"v3": 0.5, "v4": 0.5}}}}, {{then: {{@stay: 1}}}} ] }}
node preference C {{ on: at goals: {{v3: 2}} }}
node policy pi {{ horizon: 1 gamma: 2 info_gain: false inference: exact habit: {{go: [3, 1]}} }}
node llm_query ask {{ trigger: every_n_steps trigger_value: 5 inputs: [seen] prompt: "Where is it?"
  effect: note }}
"""


def test_a_long_table_says_how_many_lines_are_left_out_and_a_whole_one_has_them() -> None:
    verdict = validate(LONG)
    assert verdict.spec is not None, verdict.report
    short, whole = explain(verdict.spec), explain(verdict.spec, is_whole=True)
    assert "… and 14 more lines; --all shows them" in short
    assert "if at is v29: v0" not in short
    assert "if at is v29: v0" in whole
    assert "more lines" not in whole
    for said in (
        "if at is one of the 12 that fit v1* or v20: 2 places towards v0 50%, "
        "any of the 11 that fit v2*, evenly, 50%",
        "if go is on: v3 50%, v4 50%",
        "at, though it is hidden: v3 +2; all others 0",
        "go: on 75%, off 25%",
        "It infers the hidden states exactly.",
        "every 5 steps it asks a language model with seen; the answer is written down",
        '"Where is it?"',
        "Expected of it: seen=v3 within 9.",
    ):
        assert said in whole
    found = passages(verdict.spec)
    assert next(one.lines for one in found if one.about == "senses")[29] == "if at is v29: v0"


def test_ends_discounts_contingent_plans_payoffs_and_learning_are_said() -> None:
    text = TIGER.replace(
        "labels: [left, right] }\nnode obs",
        "labels: [left, right, gone] terminal: [gone] }\nnode obs",
    )
    text = text.replace(
        "identity noise: 0.15 noise_kind: others",
        "rows: [[0.85, 0.15], [0.15, 0.85], [0.5, 0.5]] learn: true concentration: 30",
    )
    text = text.replace("D { about: tiger uniform }", "D { about: tiger rows: [[0.5, 0.5, 0]] }")
    text = text.replace("gamma: 8", "selection: contingent")
    text = text.replace("  {utility: 1},\n", "").replace(
        "end\n", "node preference U { on: act values: [0, -1, -2] }\nend\n"
    )  # fmt: skip
    said = words(text)
    for phrase in (
        "All ends where tiger is gone.",
        "; experience changes this, which counts as 30 observations in each situation.",
        "What tiger and act are worth, in nats, for the state before the step: the first line that"
        " fits decides.\n"
        "  if tiger is left and act is open_left: -10\n",
        "  if act is listen: -0.1\n  otherwise: 0\n",
        "act, by doing it: listen 0; open_left -1; open_right -2",
        "looks 3 steps ahead, with a plan for whatever it may observe on its way",
        "A nat is worth 95% of it one step later.",
    ):
        assert phrase in said
    assert "otherwise: +1\n" in words(TIGER)


def test_when_a_state_is_worth_something_is_said() -> None:
    text = SHARED + "node preference %s { on: %s rules: [{when: {%s}, utility: 1}] }\n"
    for on, when, said in (
        (
            "[pos, energy]",
            "pos: a, energy: low",
            "are worth, in nats, for the state that a step enters",
        ),
        ("pos", "pos: a", "is worth, in nats, for the state that a step enters"),
        ("[go, pos]", "pos: a, go: rest", "are worth, in nats, for the state before the step"),
        ("go", "go: rest", "What go is worth, in nats: the first"),
    ):
        assert said in words(text % ("P", on, when))


def test_what_is_missing_is_said() -> None:
    text = words(without("node preference", without("node transition", without("node belief"))))
    assert "wants nothing" in text
    assert "pos never changes" in text
    assert "pos: any of its 3 values, all equally likely" in text


def test_one_step_is_not_one_steps() -> None:
    text = words(swapped("horizon: 2", "horizon: 1 info_gain: false selection: stochastic"))
    assert "1 step ahead" in text
    assert "utility alone" in text
    assert "samples among them" in text


def test_an_agent_without_actions_cannot_act() -> None:
    spec = validate(without("node action", GOOD), repair="none").spec
    assert spec is not None
    assert "It cannot act." in explain(spec)
