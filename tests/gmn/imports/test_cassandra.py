"""Cassandra's ``.POMDP`` files: every form of them in, the same model out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.imports.cassandra import read
from orchestrator.gmn.imports.cassandra_write import write
from orchestrator.gmn.imports.joint import joint_of
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.optimum.optimal import optimum
from orchestrator.gmn.validate import validate
from orchestrator.types.errors import GMNError
from tests.support.examples import share_of
from tests.support.pomdp_file import strictly
from tests.support.specs import valid_specs

if TYPE_CHECKING:
    from orchestrator.gmn.compile import Compiled
    from orchestrator.types.diagnostics import Diagnostic

POMDPS = Path(__file__).parents[1] / "pomdps"
FEW = settings(
    max_examples=share_of(30), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
HEAD = """discount: 0.95
values: reward
states: left right
actions: listen open
observations: hiss roar
"""
T = "T: listen\nidentity\nT: open\nuniform\n"
O = "O: *\n0.85 0.15\n0.15 0.85\n"  # noqa: E741  as the format calls it
TIGER = f"{HEAD}start: uniform\n{T}{O}R: listen : * : * : * -1\nR: open : left : * : * -100\n"


def compiled(text: str) -> Compiled:
    """The arrays of a file without an error in it, as `validate` makes them."""
    found = read(text)
    assert found.errors == ()
    assert all(re.match("GMN8", d.code) for d in found.notes)
    verdict = validate(found.document, run_steps=0)
    assert verdict.compiled is not None, verdict.report.errors
    return verdict.compiled


def moved(model: Compiled) -> Any:
    """T [a, s, s']."""
    return np.moveaxis(model.B[0], (0, 1, 2), (2, 1, 0))


def utility(model: Compiled) -> Any:
    """What doing something in a state is worth, all parts of it expected: [a, s]."""
    joint = joint_of(model)
    after = joint.entered + joint.sees @ joint.observed
    return joint.done + np.einsum("ast,at->as", joint.moved, after)


def error(text: str) -> Diagnostic:
    found = read(text)
    assert found.document == {}
    assert found.errors
    return found.errors[0]


def notes(text: str) -> str:
    return " | ".join(f"{d.code} {d.message}" for d in read(text).notes)


EYE, HALF = np.eye(2), np.full((2, 2), 0.5)
SAME = {
    "matrix": "T: listen\n1.0 0.0\n0.0 1.0\nT: open\n0.5 0.5\n0.5 0.5\n",
    "one line": "T: listen identity T: open uniform\n",
    "rows": "T: listen : left\n1 0\nT: listen : right 0 1\nT: open : * uniform\n",
    "single": (
        "T: listen : left : left 1\nT: listen : right : right 1.0\nT: open : left : left 0.5\n"
        "T: open : left : right 5e-1\nT: open : right : left .5\nT: open : right : right 0.5\n"
    ),
    "numbers": "T: 0 : 0 : 0 1\nT: 0 : 1 : 1 1\nT: 1 : 0 : 0 .5\nT: 1 : 0 : 1 .5\nT:1:1 uniform\n",
    "wildcards": "T: *:*:* 0.5\nT: listen : * : * 0\nT: listen : 0 : 0 1\nT: listen : 1 : 1 1\n",
    "later overrides": "T: * uniform\nT: listen identity\n",
    "no spaces": "T:listen identity\nT:open:left uniform\nT:open:right:*  0.5\n",
    "breaks anywhere": "T\n:\nlisten\n1\n0 0\n1 T : open 0.5 0.5 0.5\n0.5\n",
    "comments": "# T: open identity\nT: listen identity # uniform\nT: open # : left\nuniform#\n",
    "tabs and CRLF": "T:\tlisten\r\nidentity\r\nT: open\r\n0.5\t0.5\r\n0.5 0.5\r\n",
    "signs": "T: listen\n+1 0\n0 + 1\nT: open uniform\n",
}


@pytest.mark.parametrize("form", sorted(SAME))
def test_every_form_of_transitions_says_the_same(form: str) -> None:
    model = compiled(f"{HEAD}start: uniform\n{SAME[form]}{O}")
    np.testing.assert_array_equal(moved(model), [EYE, HALF])


SEEN = {
    "one for all": O,
    "each": "O: listen\n.85 .15 .15 .85\nO: open .85 .15 .15 .85",
    "rows": "O: * : left\n.85 .15\nO: * : right .15 .85",
    "single": "O: *:left:hiss .85 O: *:0:1 .15 O: *:right:hiss .15 O: 0:1:1 .85 O: open:1:1 .85",
    "override": "O: * uniform\nO: * : left .85 .15\nO: * : right : hiss .15 O: *:right:roar .85",
}


@pytest.mark.parametrize("form", sorted(SEEN))
def test_observations_that_no_action_changes_are_a_likelihood_of_the_state(form: str) -> None:
    model = compiled(f"{HEAD}start: uniform\n{T}{SEEN[form]}")
    np.testing.assert_array_equal(model.A[0], [[0.85, 0.15], [0.15, 0.85]])
    assert model.states[0].labels == ("left", "right")
    assert "GMN811 the agent observes its first state too" in notes(
        f"{HEAD}start: uniform\n{T}{SEEN[form]}"
    )


def test_observations_that_depend_on_the_action_need_the_action_done_last() -> None:
    text = f"{HEAD}start: uniform\n{T}{O}O: open uniform\n"
    model = compiled(text)
    assert model.states[1].labels == ("none", "listen", "open")
    np.testing.assert_array_equal(model.D[1], [1, 0, 0])
    np.testing.assert_array_equal(model.B[1][:, 0, :], [[0, 0], [1, 0], [0, 1]])
    np.testing.assert_array_equal(model.A[0][:, :, 1], [[0.85, 0.15], [0.15, 0.85]])
    np.testing.assert_array_equal(model.A[0][:, :, [0, 2]], np.full((2, 2, 2), 0.5))
    assert "GMN810 observations depend on the action" in notes(text)
    assert "first state" not in notes(text)  # nothing is known before the first action


STARTS: dict[str, list[float]] = {
    "": [0.5, 0.5],
    "start: uniform": [0.5, 0.5],
    "start: 0.25 0.75": [0.25, 0.75],
    "start:\n0.25\n0.75": [0.25, 0.75],
    "start: right": [0, 1],
    "start: 0": [1, 0],
    "start include: left": [1, 0],
    "start include: 0 right": [0.5, 0.5],
    "start exclude: left": [0, 1],
    "start exclude : 1": [1, 0],
    "start: left right": [0.5, 0.5],
}


def test_a_start_of_several_names_is_said_to_be_a_list() -> None:
    found = read(f"{HEAD}start: left right\n{T}{O}")
    assert "start: names several states, read as start include:" in {
        note.message for note in found.notes
    }


@pytest.mark.parametrize("start", sorted(STARTS))
def test_every_form_of_the_start(start: str) -> None:
    np.testing.assert_array_equal(compiled(f"{HEAD}{start}\n{T}{O}").D[0], STARTS[start])


REWARDS: dict[str, list[list[float]]] = {
    "R: listen : * : * : * -1 R: open : left : * : * -100": [[-1, -1], [-100, 0]],
    "R: * : left : * : * 2": [[2, 0], [2, 0]],
    "R: open : * : * : * 3": [[0, 0], [3, 3]],
    "R: * : * : left : * 4": [[4, 0], [2, 2]],
    "R: * : * : * : hiss 10": [[8.5, 1.5], [5, 5]],
    "R: listen : left : left : hiss 20": [[17, 0], [0, 0]],
    "R: open : left : right 1 2": [[0, 0], [0.5 * (0.15 + 2 * 0.85), 0]],
    "R: open : left\n1 2\n3 4": [[0, 0], [0.5 * (0.85 + 2 * 0.15 + 3 * 0.15 + 4 * 0.85), 0]],
    "R: * : * : * : * 5 R: listen : left : * : * - 5": [[-5, 5], [5, 5]],
    "R: 1 : 0 : * : * 1e2": [[0, 0], [100, 0]],
    "R: listen : * : * : * -1 R: * : * : right : * 6 R: open : * : * : * 1": [[-1, 6], [1, 1]],
    "": [[0, 0], [0, 0]],
}


@pytest.mark.parametrize("rewards", sorted(REWARDS))
def test_every_form_of_rewards_is_worth_what_is_expected_of_it(rewards: str) -> None:
    text = f"{HEAD}start: uniform\n{T}{O}{rewards}\n"
    np.testing.assert_allclose(utility(compiled(text)), REWARDS[rewards], atol=1e-12)
    costs = utility(compiled(text.replace("reward", "cost")))
    np.testing.assert_allclose(costs, -np.array(REWARDS[rewards]), atol=1e-12)


def test_a_reward_is_worth_the_same_on_what_is_entered_seen_or_expected() -> None:
    head = f"{HEAD}start: 0.3 0.7\nT: listen\n0.9 0.1\n0.2 0.8\nT: open uniform\n"
    head += f"{O}O: open uniform\n"
    for rewards in ("R: * : * : left : * 4 R: * : * : right : * -1", "R: * : * : * : hiss 3"):
        first = compiled(f"{head}{rewards}\n")
        expected = utility(first)[:, ::3]  # whatever was done last
        lines = [f"R: {a} : {s} : * : * {expected[a, s]:.17g}" for a in range(2) for s in range(2)]
        other = compiled(head + "\n".join(lines))
        assert first.action_utilities == ()
        assert other.action_utilities
        for steps in (1, 2, 3):
            worth = optimum(other, steps=steps).value
            assert optimum(first, steps=steps).value == pytest.approx(worth, abs=1e-9)


def test_what_is_expected_of_a_reward_is_said_and_a_sum_of_utilities_is_not() -> None:
    averaged = f"{HEAD}start: uniform\n{T}{O}R: listen : left : left : hiss 20\n"
    assert "is worth what is expected of R" in notes(averaged)
    plain = f"{HEAD}start: uniform\n{T}{O}R: * : * : left : * 4\n"
    assert "expected" not in notes(plain)
    assert compiled(plain).V[0].tolist() == [4, 0]
    assert "sign turned" in notes(plain.replace("reward", "cost"))


def test_a_file_without_observations_is_fully_observed() -> None:
    text = (
        "discount: 0.9\nvalues: reward\nstates: 3\nactions: go stay\nT: go\n0 1 0\n0 0 1\n0 0 1\n"
    )
    text += "T: stay identity\nR: go : 1 : 2 5\nR: stay : 0\n1 2 3\nR: go : 0 : * : * 7\n"
    model = compiled(text)
    np.testing.assert_array_equal(model.A[0], np.eye(3))
    assert model.states[0].names == ("0", "1", "2")
    np.testing.assert_array_equal(utility(model), [[7, 5, 0], [1, 0, 0]])
    assert model.discount == 0.9
    whole = compiled(text.replace("R: stay : 0\n1 2 3", "R: stay\n1 0 0 0 0 0 0 0 0"))
    np.testing.assert_array_equal(utility(whole), [[7, 5, 0], [1, 0, 0]])


def test_sections_left_out_have_defaults_that_are_said() -> None:
    text = TIGER.replace("discount: 0.95\nvalues: reward\n", "").replace("start: uniform\n", "")
    assert compiled(text).discount == 1
    for words in ("no discount", "no values", "no start"):
        assert words in notes(text)


def test_a_reset_goes_where_the_file_starts() -> None:
    model = compiled(f"{HEAD}start: 0.25 0.75\nT: listen identity\nT: open : * reset\n{O}")
    np.testing.assert_array_equal(moved(model)[1], [[0.25, 0.75]] * 2)


def test_names_may_be_words_of_the_format_or_digits() -> None:
    text = TIGER.replace("left", "T").replace("hiss", "start").replace("roar", "uniform")
    assert compiled(text).states[0].labels == ("T", "right")
    digits = TIGER.replace("states: left right", "states: 7 8").replace("left", "7")
    assert compiled(digits).states[0].labels == ("7", "8")
    np.testing.assert_array_equal(utility(compiled(digits)), utility(compiled(TIGER)))
    swapped = TIGER.replace("states: left right", "states: 1 0").replace(": left", ": 1")
    found = error(swapped)
    assert found.code == "GMN809"
    assert "both fit" in found.message
    by_number = TIGER.replace("states: left right", "states: 1 2").replace(": left", ": 0")
    np.testing.assert_array_equal(utility(compiled(by_number)), utility(compiled(TIGER)))


def test_a_tiger_is_worth_what_it_is_worth_in_the_language() -> None:
    text = TIGER.replace("actions: listen open", "actions: listen open_left open_right")
    text = text.replace("T: open\n", "T: open_left\nuniform\nT: open_right\n")
    text = text.replace("O: *", "O: * uniform\nO: listen").replace("R: open :", "R: open_left :")
    text += "R: open_right : right : * : * -100\nR: open_left : right : * : * 10\n"
    text += "R: open_right : left : * : * 10\n"
    ours = validate((POMDPS / "tiger.gmn").read_text(), run_steps=0).compiled
    assert ours is not None
    for steps in (1, 2, 3, 4):
        expected = optimum(ours, steps=steps).value
        assert optimum(compiled(text), steps=steps).value == pytest.approx(expected, abs=1e-9)


def grid_of(side: int) -> str:
    """A maze like the classic ones: slipping moves, walls that are seen, a goal that restarts."""
    cells = [(r, c) for r in range(side) for c in range(side)]
    names = " ".join(f"c{r}-{c}" for r, c in cells)
    lines = ["discount: 0.95", "values: reward", f"states: {names}", "actions: n s e w"]
    lines += ["observations: corner edge inside", f"start exclude: c{side - 1}-{side - 1}"]
    for name, dr, dc in (("n", -1, 0), ("s", 1, 0), ("e", 0, 1), ("w", 0, -1)):
        for r, c in cells:
            to = (min(max(r + dr, 0), side - 1), min(max(c + dc, 0), side - 1))
            if to == (r, c):
                lines.append(f"T: {name} : c{r}-{c} : c{r}-{c} 1")
            else:
                lines.append(f"T: {name} : c{r}-{c} : c{r}-{c} 0.2")
                lines.append(f"T: {name} : c{r}-{c} : c{to[0]}-{to[1]} 0.8")
        lines.append(f"T: {name} : c{side - 1}-{side - 1} reset")
    for r, c in cells:
        ends = (r in (0, side - 1)) + (c in (0, side - 1))
        lines.append(f"O: * : c{r}-{c}\n" + ("0 0 1", "0 1 0", "1 0 0")[ends])
    lines.append(f"R: * : * : c{side - 1}-{side - 1} : * 1")
    return "\n".join(lines)


NETWORK = """# a machine that degrades, may be watched, repaired or left alone
discount: 0.99
values: cost
states: good worn broken
actions: run look repair
observations: ok alarm
start: good
T: run
0.9 0.1 0.0
0.0 0.8 0.2
0.0 0.0 1.0
T: look identity
T: repair : *
0.99 0.01 0.0
O: run uniform
O: look
0.95 0.05
0.30 0.70
0.05 0.95
O: repair : * : ok 1.0
R: run : broken : * : * 10
R: look : * : * : * 1.5
R: repair : * : * : * 5
"""
SHUTTLE = """discount: 0.95
values: reward
states: 4
actions: forward turn
observations: 2
start: 3
T: forward : 0 : 1 1.0
T: forward : 1 : 2 0.7
T: forward : 1 : 1 0.3
T: forward : 2 : 3 1.0
T: forward : 3 : 3 1.0
T: turn : 0 : 3 1.0
T: turn : 1 : 2 1.0
T: turn : 2 : 1 1.0
T: turn : 3 : 0 1.0
O: * : * 1.0 0.0
O: * : 3 0.0 1.0
R: forward : 3 : 3 : * -3.0
R: * : 2 : 3 : * 10.0
"""
ROCK = """discount: 0.95
values: reward
states: west-bad west-good east-bad east-good out
actions: check sample east
observations: none bad good
start include: west-bad west-good
T: check identity
T: sample
1 0 0 0 0
1 0 0 0 0
0 0 1 0 0
0 0 1 0 0
0 0 0 0 1
T: east
0 0 1 0 0
0 0 0 1 0
0 0 0 0 1
0 0 0 0 1
0 0 0 0 1
O: * : * : none 1
O: check : west-bad 0 0.75 0.25
O: check : west-good 0 0.25 0.75
O: check : east-bad 0 0.9 0.1
O: check : east-good 0 0.1 0.9
R: sample : west-bad : * : * -10
R: sample : west-good : * : * 10
R: sample : east-bad : * : * -10
R: sample : east-good : * : * 10
R: east : east-bad : out : * 10
R: east : east-good : out : * 10
"""
FILES = {"tiger": TIGER, "cheese": grid_of(3), "hallway": grid_of(5), "network": NETWORK,
         "shuttle": SHUTTLE, "rock": ROCK}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FILES))
def test_problems_like_the_classic_ones_run(name: str) -> None:
    found = read(FILES[name])
    assert found.errors == ()
    verdict = validate(found.document, run_steps=1)
    assert verdict.report.errors == ()
    assert verdict.report.runs


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_is_read_and_written_reads_back_as_the_same_document(name: str) -> None:
    first = read(FILES[name]).document
    text = write(GMNSpec.model_validate(first))
    strictly(text)
    assert read(text).document == read(write(GMNSpec.model_validate(read(text).document))).document
    one, other = compile_spec(GMNSpec.model_validate(first)), compiled(text)
    np.testing.assert_allclose(utility(one), utility(other), atol=1e-9)
    for ours, theirs in zip((*one.A, *one.B, *one.D), (*other.A, *other.B, *other.D), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


WRONG = {
    ("T: open\nuniform", "T: open\n0.5 0.4\n0.5 0.5"):
        "GMN201 T: action 'open', state 'left': the probabilities of the next state sum to 0.9",
    ("0.15 0.85", "0.15 0.8"): "GMN201 O: action 'listen', state 'right': the prob",
    ("T: open\nuniform", ""): "GMN201 T: action 'open', state 'left': no probabilities are given",
    ("start: uniform", "start: 0.5 0.6"): "GMN201 start: the probabilities sum to 1.1",
    ("start: uniform", "start: middle"): "GMN105 state 'middle' is not declared",
    ("start: uniform", "start exclude: left right"): "GMN204 start exclude: leaves no state",
    ("start: uniform", "start: 7"): "GMN105 state '7' is not declared",
    ("left right", "left left"): "GMN116 state 'left' cannot be declared",
    ("left right", "1000000000"): "GMN701 states: 1000000000 is not between",
    ("left right", "9" * 5000): "GMN701 states: 99999",
    ("left right", "0"): "GMN701 states: 0",
    ("left right", "1024"): "GMN702 the table T would have 2097152 entries",
    ("states: left right\n", ""): "GMN010 the file has no states: section",
    ("listen : * : * : * -1", "lisen : * : * : * -1"): "GMN105 action 'lisen' is not declared; did",
    ("T: open\nuniform", "T: open\n0.5 0.5"): "GMN301 T: open has 2 numbers, expected 4",
    ("T: open\nuniform", "T: open\n0.5 0.5 0.5 x"): "GMN008 'x' in T: open is not a number",
    ("T: open\nuniform", "T: open\n0.5 0.5 1.5 -0.5"): "GMN209 T: open: 1.5 is not a probability",
    ("T: open\nuniform", "T: open\nnan 0.5 0.5 0.5"): "GMN008 'nan' in T: open is not a number",
    ("T: open\nuniform", "T: open : left : left : left 1"): "GMN002 T: takes at most 3 names",
    ("T: open\nuniform", "T: open : left identity"): "GMN002 identity cannot stand in T:",
    ("T: open\nuniform", "T: : left 1 0"): "GMN002 expected a name, a number or * beside a colon",
    ("values: reward", "values: gain"): "GMN002 values: 'gain' is neither reward nor cost",
    ("discount: 0.95", "discount: 0.95 0.9"): "GMN301 discount: has 2 numbers, expected 1",
    ("discount: 0.95", "discount: 0.95\ndiscount: 0.9"): "GMN004 discount: stands twice",
    ("discount: 0.95", "hello discount: 0.95"): "GMN002 expected a section such as states: or T:",
    ("R: listen", "R: listen : * : * : * 1e999\nR: listen"): "",
    ("R: open", "R: open : * 1e999 0 0 0 R: open"): "GMN203 R: is not finite",
}  # fmt: skip


@pytest.mark.parametrize("change", sorted(WRONG))
def test_what_is_wrong_is_named_where_it_stands(change: tuple[str, str]) -> None:
    assert change[0] in TIGER
    text = TIGER.replace(*change, 1)
    expected = WRONG[change]
    if not expected:  # overridden by what follows
        assert read(text).errors == ()
        return
    found = error(text)
    assert f"{found.code} {found.message}".startswith(expected)
    assert found.place is not None or "no probabilities" in expected or "GMN702" in expected


def test_a_row_that_sums_to_1_within_its_printed_digits_is_scaled_and_said() -> None:
    text = TIGER.replace("left right", "left middle right").replace("-100", "-9")
    text = text.replace("T: open\nuniform", "T: open\n" + "0.33 0.33 0.33\n" * 3)
    text = text.replace("0.15 0.85", "0.15 0.85\n0.15 0.85")
    np.testing.assert_allclose(moved(compiled(text))[1], np.full((3, 3), 1 / 3), atol=1e-12)
    assert "3 rows sum to 1 within their printed digits" in notes(text)
    assert error(text.replace("0.33 0.33 0.33", "0.33 0.33 0.3")).code == "GMN201"
    assert error(text.replace("0.33 0.33 0.33", "0.3 0.3 0.3")).code == "GMN201"
    exact = text.replace("0.33 0.33 0.33", "1 0 0.01")
    assert "sum to 1.01" in error(exact).message


def test_a_document_goes_out_with_its_names() -> None:
    spec = validate(
        """gmn 1.0
        agent two_words { type: general }
        node state pos { labels: [a, b, c] }
        node observation cell { labels: [x, y] }
        node action move { labels: [go, stay] }
        node emission A { from: [pos] to: cell rows: [[1, 0], [0.5, 0.5], [1/3, 2/3]] }
        node transition B { from: [move, pos] to: pos rules: [
          {when: {move: stay}, then: {@stay: 1}},
          {then: {@+1: 0.9, @stay: 0.1}}] }
        node belief D { about: pos map: [a] }
        node preference C { on: cell goals: {y: 2.5} }
        node preference U { on: move goals: {go: -0.1} }
        node policy pi { horizon: 2 gamma: 8 discount: 0.9 }
        end""",
        run_steps=0,
    ).spec
    assert spec is not None
    text = write(spec)
    assert strictly(text).states == ["a", "b", "c"]
    back = GMNSpec.model_validate(read(text).document)
    assert (back.name, back.states[0].name) == ("two_words", "pos")
    assert (back.observations[0].name, back.actions[0].name) == ("cell", "move")
    assert compile_spec(back).C[0].tolist() == [0, 2.5]
    np.testing.assert_allclose(compile_spec(back).action_utilities[0].table, [-0.1, 0], atol=1e-12)


def test_what_the_format_cannot_say_is_refused() -> None:
    spec = GMNSpec.model_validate(read(TIGER).document)
    learns = spec.likelihoods[0].model_copy(update={"learn": True})
    with pytest.raises(GMNError, match="cannot say learning"):
        write(spec.model_copy(update={"likelihoods": (learns,)}))
    habit = {"action": "action", "weights": [1, 2]}
    with pytest.raises(GMNError, match="cannot say habits"):
        write(GMNSpec.model_validate({**read(TIGER).document, "habits": [habit]}))
    odd = spec.states[0].model_copy(update={"labels": ("left", "2nd")})
    with pytest.raises(GMNError, match="'2nd' is not a name"):
        write(spec.model_copy(update={"states": (odd,)}))


@FEW
@given(valid_specs())
def test_what_is_written_keeps_the_grammar_and_means_the_model(spec: GMNSpec) -> None:
    spec = spec.model_copy(
        update={
            "queries": (), "habits": (), "policy": spec.policy.model_copy(update={"horizon": 1}),
            **{
                key: tuple(t.model_copy(update={"learn": False}) for t in getattr(spec, key))
                for key in ("likelihoods", "transitions", "priors")
            },
        }
    )  # fmt: skip
    model = compile_spec(spec)
    joint = joint_of(model)
    text = write(spec)
    problem = strictly(text)
    np.testing.assert_allclose(problem.start, joint.start, atol=1e-12)
    np.testing.assert_allclose(problem.T, joint.moved, atol=1e-12)
    np.testing.assert_allclose(problem.O, joint.sees, atol=1e-12)
    worth = joint.done[:, :, None, None] + joint.entered[:, None] + joint.observed
    worth = np.broadcast_to(worth, problem.R.shape).copy()
    worth[:, joint.ends] = 0
    np.testing.assert_allclose(problem.R, worth, atol=1e-12)
    assert problem.discount == model.discount
    found = read(text)
    if len(text) > HARD_LIMITS.document_bytes:  # for others to read: here it is too long
        assert [error.code for error in found.errors] == ["GMN704"]
        return
    assert found.errors == ()
    back = compile_spec(GMNSpec.model_validate(found.document))
    np.testing.assert_allclose(moved(back), joint.moved, atol=1e-12)
    np.testing.assert_allclose(back.D[0], joint.start, atol=1e-12)
    np.testing.assert_allclose(back.A[0].T, joint.sees[0], atol=1e-12)
    expected = np.einsum("ast,asto,ato->as", problem.T, problem.R, problem.O)
    np.testing.assert_allclose(utility(back), expected, atol=1e-9)
    if len(model.states) == len(model.observations) == 1:
        assert back.states[0].names == model.states[0].names
        assert back.states[0].name == model.states[0].name


PIECES = ["T:", "O:", "R:", "start:", "states:", "actions:", ":", "*", "0.5", "1", "uniform",
          "identity", "left", "listen", "#", "\n", "-", "reset", "include", "9" * 20]  # fmt: skip


@settings(max_examples=share_of(150), deadline=None)
@given(st.data())
def test_any_text_gives_a_document_or_errors(data: st.DataObject) -> None:
    some = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=30).map(" ".join)
    text = data.draw(some | st.text(max_size=200))
    at = data.draw(st.integers(0, len(TIGER)))
    for one in (text, TIGER[:at] + text + TIGER[at:], TIGER[:at] + text):
        found = read(one)
        assert bool(found.document) != bool(found.errors)
        if found.document:
            validate(found.document, run_steps=0)


def test_much_work_in_a_short_text_is_refused() -> None:
    text = TIGER.replace("left right", "500").replace(": left", ": 0") + "T: * uniform\n" * 20_000
    assert error(text).code == "GMN712"
    assert error("states: 3\n" * 200_000).code == "GMN704"


@pytest.mark.parametrize("key", ["T", "O"])
def test_a_table_that_the_file_leaves_out_is_one_finding(key: str) -> None:
    text = "\n".join(line for line in TWO_STATES.splitlines() if not line.startswith(f"{key}:"))
    found = read(text).errors
    assert [(d.code, d.message[:13]) for d in found] == [("GMN010", f"there is no {key}")]


TWO_STATES = """discount: 0.9
values: reward
states: left right
actions: wait
observations: dim lit
T: wait identity
O: wait uniform
R: wait : left : * : * 1
"""
