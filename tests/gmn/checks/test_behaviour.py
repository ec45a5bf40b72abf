"""GMN516-519 on a faulty document, on its smallest repair, and on what is as it should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.checks import behaviour
from orchestrator.gmn.checks.registry import Subject
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from orchestrator.types.diagnostics import Diagnostic
from tests.support.documents import GOOD

LIBRARY = Path(__file__).parents[3] / "prompts" / "library"
CODES = ("GMN516", "GMN517", "GMN518", "GMN519")

TIGER = """gmn 1.0
agent tiger {}
node state tiger { labels: [left, right] }
node state place { labels: [middle, at_left, at_right] }
node observation hear { labels: [left, right] }
node observation outcome { labels: [nothing, gold, roar] }
node action do { labels: [listen, open_left, open_right] }
node emission A_hear {
  from: [tiger, place]
  to: hear
  rules: [
    {when: {place: middle, tiger: left}, then: {left: 0.85, right: 0.15}},
    {when: {place: middle, tiger: right}, then: {left: 0.15, right: 0.85}},
    {then: {left: 0.5, right: 0.5}},
  ]
}
node emission A_outcome {
  from: [tiger, place]
  to: outcome
  rules: [
    {when: {place: middle}, then: {nothing: 1}},
    {when: {place: at_left, tiger: left}, then: {roar: 1}},
    {when: {place: at_right, tiger: right}, then: {roar: 1}},
    {then: {gold: 1}},
  ]
}
node transition B_tiger { from: [tiger, place] to: tiger rules: [
  {when: {place: middle}, then: {"@stay": 1}},
  {then: {left: 0.5, right: 0.5}},
] }
node transition B_place { from: [do] to: place map: [middle, at_left, at_right] }
node belief D_place { about: place, rows: [[1, 0, 0]] }
node preference C { on: outcome, goals: {gold: GOLD, roar: ROAR} }
node preference C_place { on: place, goals: {middle: LISTEN} }
node policy pi { horizon: 2, gamma: 8 }
end
"""


def tiger(scale: float) -> str:
    numbers = {"GOLD": 10 * scale, "ROAR": -100 * scale, "LISTEN": -scale}
    text = TIGER
    for name, number in numbers.items():
        text = text.replace(name, repr(number))
    return text


CORRIDOR = """gmn 1.0
agent walker {}
node state cell { size: 5 }
node observation seen { size: 5 }
node action go { labels: [stay, back, forth] }
node emission A { from: [cell], to: seen, identity }
node transition B {
  from: [cell, go]
  to: cell
  shift
  moves: {stay: [0], back: [-1], forth: [1]}
}
node belief D { about: cell, rows: [[1, 0, 0, 0, 0]] }
node preference C { on: seen, values: [0, WAY, WAY, WAY, GOAL] }
node policy pi { horizon: HORIZON, gamma: 8 }
end
"""


def corridor(*, horizon: int, goal: float = 3, way: float = 0, more: str = "") -> str:
    text = CORRIDOR.replace("HORIZON", str(horizon)).replace("GOAL", repr(float(goal)))
    return text.replace("WAY", repr(float(way))).replace("gamma: 8", f"gamma: 8 {more}")


def found(text: str | GMNSpec) -> dict[str, Diagnostic]:
    verdict = validate(text, run_steps=0)
    assert verdict.compiled is not None, verdict.report
    return {d.code: d for d in verdict.report.diagnostics if d.code in CODES}


def first_act(text: str) -> str:
    model = validate(text, run_steps=0).compiled
    assert model is not None
    return simulate(model, steps=1, seed=0).steps[0].action["do"]


def test_a_tiger_whose_payoffs_are_too_small_opens_at_once_and_is_warned_of() -> None:
    faulty = tiger(0.002)
    assert first_act(faulty) != "listen"
    warned = found(faulty)["GMN516"]
    assert "risks the worst utility (-0.2) with probability 0.15" in warned.message
    assert "multiply every utility by 32, or write info_gain: false" in warned.message
    assert found(tiger(32 * 0.002)) == {}
    assert first_act(tiger(32 * 0.002)) == "listen"
    assert "GMN516" in found(tiger(16 * 0.002))
    assert "GMN516" not in found(faulty.replace("horizon: 2,", "horizon: 2, info_gain: false,"))


@pytest.mark.parametrize("shift", [-1.0, 0.2, 0.2001, 7.0])
@pytest.mark.parametrize(("scale", "codes"), [(0.002, {"GMN516"}), (1.0, set())])
def test_where_utilities_have_their_zero_changes_no_warning(
    scale: float, codes: set[str], shift: float
) -> None:
    plain, gold, roar = tiger(scale), shift + 10 * scale, shift - 100 * scale
    shifted = plain.replace(
        f"{{gold: {10 * scale!r}, roar: {-100 * scale!r}}}",
        f"{{nothing: {shift}, gold: {gold}, roar: {roar}}}",
    )
    assert shifted != plain
    assert set(found(plain)) == set(found(shifted)) == codes


#: The agent peeks: an episode that ends at once, or a rich way. That is worth more than safety.
PEEK = """gmn 1.0
agent w {}
node state s { labels: [start, home, rich, hurt, gold, silver, end] terminal: [end] }
node observation o { labels: [start, home, rich, hurt, gold, silver, end] }
node action u { labels: [safe, peek] }
node emission A { from: [s], to: o, identity }
node transition B { from: [s, u], to: s, rules: [
  {when: {s: start, u: peek}, then: {end: 0.5, hurt: 0.15, rich: 0.35}},
  {when: {s: start}, then: {home: 1}},
  {when: {s: home}, then: {silver: 1}},
  {when: {s: [rich, hurt]}, then: {gold: 1}},
  {then: {end: 1}},
] }
node belief D { about: s, map: [start] }
node preference C { on: o, values: [0, 0, 0, -2, 5, 2, 0] }
node policy pi { horizon: 1, gamma: 8 }
end
"""


def test_an_end_that_may_come_is_counted_once() -> None:
    assert "GMN516" not in found(PEEK)
    # The same risk where gold is no more than silver is not worth it.
    assert "GMN516" in found(PEEK.replace("-2, 5, 2", "-2, 2, 2"))


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_a_tiger_that_listens_first_is_not(horizon: int, scale: float) -> None:
    assert found(tiger(scale).replace("horizon: 2", f"horizon: {horizon}")) == {}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "of plans of one step the best is the most probable at every gamma"),
        ("selection: contingent", "a contingent plan takes the best action at every branch"),
    ],
)
def test_a_gamma_that_changes_nothing_is_named_with_what_does(more: str, words: str) -> None:
    text = corridor(horizon=1, goal=3, way=1, more=more).replace("gamma: 8", "gamma: 6")
    said = found(text)["GMN517"].message
    assert said.startswith(f"gamma 6 changes nothing: {words}")
    model = validate(text).compiled
    sharper = validate(text.replace("gamma: 6", "gamma: 0.5")).compiled
    assert model is not None
    assert sharper is not None
    assert simulate(model, steps=8, seed=1) == simulate(sharper, steps=8, seed=1)


@pytest.mark.parametrize(
    "more", ["selection: stochastic", "habit: {go: [1, 1, 2]}", "horizon: 2", "gamma: 8"]
)
def test_a_gamma_that_can_matter_or_that_nobody_set_is_not(more: str) -> None:
    text = corridor(horizon=1, goal=3, way=1).replace("gamma: 8", "gamma: 6")
    if more.startswith("horizon"):
        text = text.replace("horizon: 1", more)
    elif more.startswith("gamma"):
        text = text.replace("gamma: 6", more)
    else:
        text = text.replace("gamma: 6", f"gamma: 6 {more}")
    assert found(text) == {}


ASKS = """gmn 1.0
agent w {}
node state s { labels: [a, b] }
node observation o { labels: [a, b] }
node action u { labels: [a, b] }
node emission A { from: [s], to: o, identity }
node transition B { from: [u], to: s, map: [a, b] }
node belief D { about: s, map: [a] }
node preference C { on: o, values: [0, 3] }
node policy pi { horizon: 1, gamma: 0.5 }
node llm_query ask { trigger: on_start, inputs: [o], prompt: "after {o}?", effect: EFFECT }
end
"""


def test_a_suggestion_is_a_habit_that_gamma_is_held_against() -> None:
    assert "GMN517" not in found(ASKS.replace("EFFECT", "suggest_action, target: u"))
    assert "GMN517" in found(ASKS.replace("EFFECT", "note"))


def test_an_agent_that_idles_though_a_reward_is_in_reach_is_warned_of() -> None:
    faulty = corridor(horizon=2)
    model = validate(faulty).compiled
    assert model is not None
    assert {step.state["cell"] for step in simulate(model, steps=20, seed=0).steps} == {"0"}
    said = found(faulty)["GMN518"].message
    assert "it stays at cell=0 and does go=stay for 10 steps, though cell=4 is reached in" in said
    assert "4 steps that are worth 3 nats more; plan at least 4 steps ahead" in said
    assert found(corridor(horizon=4)) == {}
    graded = faulty.replace("[0, 0.0, 0.0, 0.0, 3.0]", "[0, 0.5, 1, 1.5, 3]")
    assert graded != faulty
    assert found(graded) == {}


def test_a_reward_for_an_act_is_in_reach_as_well() -> None:
    sale = "rules: [{when: {seen: 4, go: stay}, utility: 3}]"
    text = corridor(horizon=2, goal=0)
    paid = text.replace("on: seen, values: [0, 0.0, 0.0, 0.0, 0.0]", f"on: [cell, go], {sale}")
    paid = paid.replace("seen: 4", "cell: 4")
    assert paid != text
    assert "plan at least 5 steps ahead" in found(paid)["GMN518"].message
    assert found(paid.replace("horizon: 2", "horizon: 5")) == {}


def test_a_habit_that_holds_an_agent_where_it_is_is_named() -> None:
    text = corridor(horizon=4, more="habit: {go: [1, 0, 0]}")
    assert "a habit holds the agent" in found(text)["GMN518"].message
    branching = corridor(horizon=4, more="selection: contingent habit: {go: [1, 0, 0]}")
    said = found(branching)["GMN518"].message
    assert "a habit holds the agent" in said
    assert "raise gamma" not in said  # one plan for each first action: none is outnumbered


def test_a_contingent_agent_that_can_put_its_goal_off_does_not() -> None:
    assert found(corridor(horizon=9, more="selection: contingent")) == {}


def test_a_goal_that_is_never_worth_its_way_is_warned_of_with_what_would_be_enough() -> None:
    faulty = corridor(horizon=4, goal=1, way=-1)
    said = found(faulty)["GMN519"].message
    assert "the best place, cell=4, is never worth its way: every plan of 4 steps" in said
    more = float(said.split("raise its utility by ")[1].split(",")[0])
    assert 2 < more < 3.1  # three costs of 1 against a goal of 1
    assert found(corridor(horizon=4, goal=1 + more, way=-1)) == {}
    assert found(corridor(horizon=4, goal=2, way=-0.3)) == {}


@pytest.mark.parametrize("zero", [-10, -3, -1, 0, 2])
def test_where_utilities_have_their_zero_changes_no_goal(zero: int) -> None:
    def shifted(text: str) -> str:
        head, values, tail = text.partition("values: [")[0], "", ""
        values, tail = text.partition("values: [")[2].split("]", 1)
        return f"{head}values: {[float(v) + zero for v in values.split(',')]}{tail}"

    idles, not_worth = corridor(horizon=2), corridor(horizon=4, goal=1, way=-1)
    assert set(found(shifted(idles))) == {"GMN518"}
    assert set(found(shifted(not_worth))) == {"GMN519"}
    assert found(shifted(corridor(horizon=4))) == {}


BUS = """gmn 1.0
agent rider {}
node state s { labels: [stop, bus, away] }
node observation o { labels: [stop, bus, away] }
MORE
node action u { labels: [rest, wait, walk] }
node emission A { from: [s], to: o, identity }
node transition B { from: [s, u], to: s, rules: [
 {when: {s: stop, u: wait}, then: {bus: P, stop: Q}},
 {when: {s: stop, u: walk}, then: {away: 1}},
 {then: {"@stay": 1}},
] }
node belief D { about: s, map: [stop] }
node preference C { on: o, values: [0, 3, -1] }
node policy pi { horizon: 4, gamma: 8 }
end
"""
SENSOR = """node observation nN { labels: [a, b] }
node emission AnN { from: [s], to: nN, rows: [[0.6, 0.4], [0.5, 0.5], [0.5, 0.5]] }"""


def rider(p: float, sensors: int = 0) -> str:
    more = "\n".join(SENSOR.replace("N", str(n)) for n in range(sensors))
    return BUS.replace("P,", f"{p},").replace("Q}", f"{1 - p}}}").replace("MORE", more)


@pytest.mark.parametrize("sensors", [0, 1, 2, 3])
@pytest.mark.parametrize("p", [0.03, 0.1, 0.17, 0.18, 0.2])
def test_a_wait_that_is_the_best_way_is_not_idle(p: float, sensors: int) -> None:
    # The bus does not come for ten steps in some of these episodes.
    assert found(rider(p, sensors)) == {}


@pytest.mark.parametrize("p", [0.05, 0.13])
def test_a_way_that_takes_many_attempts_is_one(p: float) -> None:
    said = found(rider(p).replace("gamma: 8", "gamma: 1, habit: {u: [1, 0, 0]}"))["GMN518"].message
    assert "stays at s=stop and does u=rest for 10 steps, though s=bus is reached" in said


@pytest.mark.parametrize("p", [1e-7, 0.001, 0.025, 0.13])
def test_what_is_improbable_is_not_said_to_be_impossible(p: float) -> None:
    warned = {d.code: d.message for d in validate(rider(p), run_steps=0).report.diagnostics}
    assert "GMN504" not in warned
    lost = rider(p).replace("{bus: ", "{stop: ").replace(f", stop: {1 - p}", f", away: {1 - p}")
    warned = {d.code: d.message for d in validate(lost, run_steps=0).report.diagnostics}
    assert "1 of 3 joint states can never be reached" in warned["GMN504"]


def test_an_agent_that_puts_its_goal_off_is_told_what_helps() -> None:
    """Of an agent that rests now since it can go later, whatever makes it so."""
    spec = validate(corridor(horizon=5, more="selection: contingent"), run_steps=0).spec
    assert spec is not None
    joint = behaviour._joint(Subject(spec))
    assert joint is not None
    goal = np.arange(5) == 4
    (said,) = behaviour._could_gain(joint, goal, (0, [0]))
    assert said.message.endswith("later is worth as much as now: write discount: 0.95")


def test_an_agent_that_is_where_it_wants_to_be_may_stay() -> None:
    text = corridor(horizon=2).replace("[[1, 0, 0, 0, 0]]", "[[0, 0, 0, 0, 1]]")
    assert found(text) == {}


def changed(spec: GMNSpec, noise: float, utility: float, horizon: int | None) -> GMNSpec:
    tables = {
        section: tuple(
            table.model_copy(
                update={
                    "table": table.table.model_copy(
                        update={"noise": min(0.5, noise * table.table.noise)}
                    )
                }
            )
            for table in getattr(spec, section)
        )
        for section in ("likelihoods", "transitions")
    }
    preferences = tuple(
        p.model_copy(
            update={
                "values": tuple(utility * v for v in p.values),
                "goals": tuple(
                    g.model_copy(update={"utility": utility * g.utility}) for g in p.goals
                ),
            }
        )
        for p in spec.preferences
    )
    policy = spec.policy.model_copy(update={"horizon": horizon or spec.policy.horizon})
    return spec.model_copy(update={**tables, "preferences": preferences, "policy": policy})


@pytest.mark.parametrize("name", sorted(path.stem for path in LIBRARY.glob("*.gmn")))
def test_no_curated_model_nor_its_variations_raise_an_alarm(name: str) -> None:
    spec = validate((LIBRARY / f"{name}.gmn").read_text(), run_steps=0).spec
    assert spec is not None
    assert found(spec) == {}
    for noise, utility, horizon in (
        (0.5, 1.0, None), (2.0, 1.0, None), (1.0, 0.5, None), (1.0, 2.0, None),
        (1.0, 1.0, spec.policy.horizon + 1),
    ):  # fmt: skip
        assert found(changed(spec, noise, utility, horizon)) == {}


@pytest.mark.parametrize(
    ("asked", "pointer", "said"),
    [
        ("selection: contingent inference: mean_field", "/policy/inference", "inference: auto"),
        ("selection: contingent", "/policy/selection", "selection: deterministic"),
        ("inference: exact", "/policy/inference", "inference: auto"),
    ],
)
def test_what_no_engine_can_run_is_an_error_with_its_place_and_no_check_runs_it(
    asked: str, pointer: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    factors = "".join(
        f"node state s{i} {{ size: 20 }}\n"
        f"node transition B{i} {{ from: [act, s{i}] to: s{i} identity }}\n"
        f"node belief D{i} {{ about: s{i} uniform }}\n"
        for i in range(3)
    )
    text = f"""gmn 1.0
agent many {{ type: explorer }}
{factors}node observation o {{ labels: [a, b] }}
node action act {{ labels: [go, stay] }}
node emission A {{
  from: [s0, s1, s2]
  to: o
  rules: [ {{when: {{s0: 0, s1: 0, s2: 0}}, then: {{a: 1}}}}, {{then: {{b: 1}}}} ]
}}
node preference C {{ on: o values: [-1, 1] }}
node policy pi {{ horizon: 2 {asked} }}
"""
    for steps in (0, 3):
        (error,) = validate(text, run_steps=steps).report.errors
        assert (error.code, error.pointer) == ("GMN901", pointer)
        assert said in error.message
        assert error.place is not None
    (tmp_path / "bad.gmn").write_text(text)
    (tmp_path / "good.gmn").write_text(GOOD)
    files = [str(tmp_path / name) for name in ("bad.gmn", "good.gmn")]
    assert main(["validate", *files]) == 1
    printed = capsys.readouterr()
    assert "GMN901" in printed.out + printed.err
    assert "good.gmn: valid" in printed.out + printed.err
