"""What an agent gains beside the best, chance and a greedy agent."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.acting.worlds import WORLDS
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.engine import contingent
from orchestrator.gmn.optimum import optimal
from orchestrator.gmn.optimum.compare import Comparison, Mean, compare
from orchestrator.gmn.optimum.expected import expected_utility
from orchestrator.gmn.optimum.optimal import Optimum, optimum
from orchestrator.gmn.validate import validate

ROOT = Path(__file__).parents[2]
TMAZE = str(ROOT / "prompts" / "library" / "tmaze.gmn")
POMDPS = Path(__file__).parent / "pomdps"

#: A lamp that is switched: the agent sees it, and a goal of every step is to have it on.
LAMP = """gmn 1.0
agent lamp { type: general }
node state lamp { labels: [off, on] }
node observation light { labels: [dark, bright] }
node action switch { labels: [leave, press] }
node emission A { from: [lamp] to: light identity }
node transition B { from: [switch, lamp] to: lamp rules: [
  {when: {switch: leave}, then: {@stay: 1}},
  {when: {lamp: off}, then: {on: 1}}, {then: {off: 1}} ] }
node belief D { about: lamp map: [off] }
node preference C { on: light goals: {bright: GOAL} }
node preference cost { on: switch goals: {press: -0.5} }
node policy pi { horizon: 2 gamma: 8 discount: 0.5 }
end
"""


def model_of(text: str) -> Compiled:
    found = validate(text).compiled
    assert found is not None
    return found


def lamp(goal: float) -> Compiled:
    return model_of(LAMP.replace("GOAL", str(goal)))


#: By mean field, whose beliefs need not be exact.
SAMPLED = LAMP.replace("GOAL", "2").replace("gamma: 8", "gamma: 8 inference: mean_field")


def test_an_agent_that_does_the_best_reaches_all_of_it() -> None:
    found = compare(lamp(2), ["optimal", "random", "greedy"], steps=3, episodes=4)
    # Pressed once: -0.5 + 2, then 2 at a half and 2 at a quarter.
    assert (found.agent.value, found.agent.error) == pytest.approx((3.0, 0.0))
    assert found.greedy == found.agent
    assert found.optimal is not None
    assert found.optimal.value == pytest.approx(3.0)
    # On with probability a half from the first act on, pressed half of the time.
    assert found.by_chance == pytest.approx(0.75 * (1 + 0.5 + 0.25))
    assert found.share == pytest.approx((1.0, 1.0))
    assert found.ratio == pytest.approx((1.0, 1.0))
    assert found.information == Mean(0.0, 0.0, is_expected=True)


def test_where_not_all_can_be_walked_through_episodes_are_averaged() -> None:
    found = compare(model_of(SAMPLED), ["optimal", "greedy"], steps=3, episodes=4)
    assert (found.agent.value, found.agent.error) == pytest.approx((3.0, 0.0))
    assert not found.agent.is_expected
    assert found.greedy == found.agent
    assert found.information == Mean(0.0, 0.0)


def test_what_is_rare_is_in_the_expectation() -> None:
    # The cue deceives in 2 of 100 episodes, and then the way to the other arm is closed.
    tmaze = model_of(Path(TMAZE).read_text())
    expected = expected_utility(tmaze, steps=2)
    assert expected == pytest.approx(0.98 * (0.98 * 3 - 0.02 * 6) + 0.02 * (0.02 * 3 - 0.98 * 6))


def test_what_is_not_asked_for_is_not_computed() -> None:
    found = compare(lamp(2), ["random"], steps=3, episodes=2)
    assert (found.greedy, found.optimal, found.information, found.share, found.ratio) == (None,) * 5
    blind = replace(lamp(2), info_gain=False)
    assert compare(blind, ["optimal"], steps=3, episodes=2).information is None


def test_a_negative_optimum_has_a_share_and_no_ratio() -> None:
    found = compare(lamp(-2), ["optimal"], steps=3, episodes=2)
    assert found.optimal is not None
    assert found.optimal.value == 0
    assert found.share == pytest.approx((1.0, 1.0))
    assert found.ratio is None


def test_where_chance_is_as_good_as_the_best_there_is_no_share(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    idle = tmp_path / "idle.gmn"
    idle.write_text(LAMP.replace("bright: GOAL", "bright: 1, dark: 1").replace("-0.5", "0"))
    assert main(["simulate", str(idle), "--compare", "optimal", "--episodes", "2"]) == 0
    assert "no share: choosing at random is as good as the best" in capsys.readouterr().out


def test_an_episode_that_ends_gains_nothing_more() -> None:
    ends = LAMP.replace("[off, on] }", "[off, on] terminal: [on] }").replace("GOAL", "2")
    found = compare(model_of(ends), ["optimal"], steps=5, episodes=3)
    assert (found.agent.value, found.agent.error) == pytest.approx((1.5, 0.0))
    assert found.optimal is not None
    assert found.optimal.value == pytest.approx(1.5)


def test_between_bounds_the_share_is_a_span() -> None:
    best = Optimum(8.0, 8.0, 10.0, "point-based", 400)
    found = Comparison(20, 40, 1.0, 2, 2, Mean(5.0, 0.6), 2.0, None, best)
    assert found.share == (0.375, 0.5)
    assert found.share_error == pytest.approx(0.1)
    assert found.ratio == (0.5, 0.625)
    # Worse than chance, and below 0: the higher optimum makes less of it.
    best = Optimum(1.0, 1.0, 2.0, "point-based", 400)
    worse = Comparison(5, 10, 1.0, 2, 2, Mean(-3.0, 0.1), 0.0, None, best)
    assert worse.share == worse.ratio == (-3.0, -1.5)
    assert worse.share_error == pytest.approx(0.1)


def test_the_command_prints_a_row_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    names = [word for name in ("optimal", "random", "greedy") for word in ("--compare", name)]
    assert main(["simulate", TMAZE, "--steps", "4", "--episodes", "30", *names]) == 0
    out = capsys.readouterr().out
    assert "utility in nats, of an episode of 4 steps" in out
    rows = {line.split("  ")[0]: line for line in out.splitlines()}
    assert rows["greedy"] == "greedy    0 expected"
    assert rows["random"].endswith(" expected")
    assert rows["optimal"].endswith(" beliefs")
    assert "looks 2 of 4 steps ahead, its horizon" in out
    assert "+7.942 of it by seeking information" in out
    assert "% of the way from random to optimal" in out


def test_the_command_gives_the_numbers_as_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lamp_by_mean_field = tmp_path / "lamp.gmn"
    lamp_by_mean_field.write_text(SAMPLED)
    once = ["--steps", "4", "--episodes", "1", "--json", "--compare", "optimal"]
    assert main(["simulate", str(lamp_by_mean_field), *once]) == 0
    found = json.loads(capsys.readouterr().out)["comparison"]
    assert found["agent"]["error"] is None  # of one episode there is none
    assert found["optimal"]["method"] == "exact"
    assert found["optimal"]["lower"] == found["optimal"]["upper"] == found["optimal"]["value"]
    assert len(found["share"]) == 2
    assert found["greedy"] is None


def test_the_bound_that_kept_a_plan_short_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contingent, "TREE_NUMBERS", 150)
    command = ["simulate", str(POMDPS / "tiger.gmn"), "--steps", "3", "--compare", "optimal"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "looks 2 of the 4 steps of its horizon ahead: a plan may take" in out
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["comparison"]
    assert (found["depth"], found["horizon"]) == (2, 4)


def test_bounds_are_said_to_be_bounds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # No room for a tree of beliefs.
    monkeypatch.setitem(optimal.optimum.__kwdefaults__, "beliefs", 0)  # type: ignore[arg-type]
    maze = str(POMDPS / "maze_4x3.gmn")
    assert main(["simulate", maze, "--steps", "3", "--episodes", "2", "--compare", "optimal"]) == 0
    out = capsys.readouterr().out
    assert "the best policy found with" in out
    assert "beliefs is a lower bound" in out


def test_too_much_is_refused_before_the_episodes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    by_mean_field = tmp_path / "lamp.gmn"
    by_mean_field.write_text(SAMPLED)
    many = ["--episodes", "10000000", "--compare", "random"]
    assert main(["simulate", str(by_mean_field), *many]) == 2
    assert "--compare: comparing 10000000 episodes of 20 steps takes more than" in (
        capsys.readouterr().err
    )
    large = tmp_path / "large.gmn"
    each = "".join(
        f"node state s{i} {{ size: 40 }}\n"
        f"node transition B{i} {{ from: [u, s{i}] to: s{i} shift moves: {{on: [1], off: [0]}} }}\n"
        f"node preference V{i} {{ on: s{i} goals: {{39: 1}} }}\n"
        for i in range(4)
    )
    large.write_text(
        "gmn 1.0\nagent a { type: general }\nnode observation o { labels: [x, y] }\n"
        "node action u { labels: [on, off] }\n"
        "node emission A { from: [s0] to: o rules: ["
        "{when: {s0: 1}, then: {x: 1}}, {then: {y: 1}}] }\n"
        f"{each}node policy pi {{ horizon: 1 gamma: 1 }}\n"
    )
    assert main(["simulate", str(large), "--compare", "optimal"]) == 2
    assert "2,560,000 joint states" in capsys.readouterr().err


def test_equal_seeds_give_equal_comparisons() -> None:
    model = validate(Path(TMAZE).read_text()).compiled
    assert model is not None
    first, second = (compare(model, ["greedy"], steps=3, episodes=3, seed=7) for _ in range(2))
    assert first == second
    assert np.isfinite(first.agent.value)


def test_in_another_world_everybody_is_compared_there(capsys: pytest.CaptureFixture[str]) -> None:
    model = model_of(Path(TMAZE).read_text())
    world = WORLDS["unreliable-cue"](model)
    among = {"steps": 4, "episodes": 60, "seed": 3}
    own, there = (compare(model, ["optimal", "greedy"], world=w, **among) for w in (None, world))
    assert there.agent.value < own.agent.value - 1
    assert own.optimal is not None
    assert there.optimal is not None
    # The best is that of an agent that knows the world.
    assert there.optimal.value == pytest.approx(optimum(world, steps=4).value)
    assert there.optimal.value < own.optimal.value - 1
    assert there.agent.value <= there.optimal.value + 4 * there.agent.error
    command = ["simulate", TMAZE, "--steps", "4", "--episodes", "5", "--compare", "optimal"]
    assert main([*command, "--world", "unreliable-cue"]) == 0
    assert "of an episode of 4 steps in the world unreliable-cue" in capsys.readouterr().out
    for name in ("", "unreliable-cue"):
        assert main([*command, "--json", *(["--world", name] if name else [])]) == 0
        assert json.loads(capsys.readouterr().out)["world"] == (name or None)


@pytest.mark.parametrize(
    ("against", "changed", "words"),
    [
        (
            ["optimun"],
            {},
            "'optimun' is not one of optimal, random, greedy",
        ),
        ([], {}, "at least one of optimal, random, greedy"),
        ("optimal", {}, "a list"),
        (["random"], {"episodes": 0}, "episodes must be at least 1, got 0"),
        (["random"], {"episodes": 1.5}, "episodes must be a whole number, got 1.5"),
        (["random"], {"steps": "3"}, "steps must be a whole number, got '3'"),
        (["greedy"], {"steps": -1}, "steps must be at least 1, got -1"),
        (["random"], {"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(
    against: Any, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        compare(lamp(1.0), against, **{"steps": 2, "episodes": 2, "seed": 0, **changed})


def test_a_rounding_error_is_no_error() -> None:
    assert str(Mean(2.0, 6.6e-16)) == "2 ± 0"
    assert str(Mean(2.0, 0.25)) == "2 ± 0.25"
    assert str(Mean(2e-9, 3e-10)) == "2e-09 ± 3e-10"
    assert str(Mean(-3e-17, 0.1)) == "0 ± 0.1"
