"""The curated models behave, and the embedded provider adapts them without pretending."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.gmn.acting.expectations import Expectation, expectations_of
from orchestrator.gmn.examples import Example, choose, load
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import Validation, validate
from orchestrator.routing.offline.answer import (
    CHAT,
    answer,
    answer_chat,
    questions_of,
    write_model,
)
from orchestrator.routing.offline.grid import cell_at
from orchestrator.types.diagnostics import Severity
from orchestrator.types.errors import GMNError
from orchestrator.types.requests import Description, Evaluation, OutputMode
from tests.support.documents import plus

LIBRARY = Path(__file__).resolve().parents[3] / "prompts" / "library"
EXAMPLES = load(LIBRARY)


def ask(
    prompt: str,
    agent_type: str = "general",
    constraints: Mapping[str, int] | None = None,
    mode: OutputMode = OutputMode.PROMPT,
) -> Validation:
    description = Description(prompt, agent_type, constraints or {})
    text = answer(description, mode, EXAMPLES)
    assert text == answer(description, mode, EXAMPLES)
    return validate(text, constraints=constraints)


def spec_of(verdict: Validation) -> GMNSpec:
    assert verdict.report.errors == ()
    assert verdict.spec is not None
    return verdict.spec


def test_there_are_at_least_twelve_curated_models_with_prompt_and_expectations() -> None:
    assert len(EXAMPLES) >= 12
    assert all(e.prompt and expectations_of(e.spec) for e in EXAMPLES)
    assert {e.agent_type for e in EXAMPLES} == {"explorer", "trader", "coordinator", "general"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_a_curated_model_behaves_over_forty_episodes_and_is_clean(example: Example) -> None:
    verdict = validate(example.spec, expectations=expectations_of(example.spec), episodes=40)
    assert verdict.report.behaves is True
    assert verdict.report.repairs == ()
    assert all(d.severity is Severity.INFO for d in verdict.report.diagnostics)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_each_curated_prompt_finds_its_own_model(example: Example) -> None:
    assert choose(example.prompt, example.agent_type, EXAMPLES, 1) == (example,)


def test_an_invalid_model_of_a_library_is_refused_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "bad.gmn").write_text("node state s { size: 2 }")
    (example,) = load(tmp_path)
    with pytest.raises(GMNError, match=r"bad\.gmn is not valid"):
        _ = example.spec


def test_examples_are_chosen_without_checking_any_of_them(tmp_path: Path) -> None:
    for name, sentence in (("a", "a boat on a river"), ("b", "a thermostat for a room")):
        metadata = f'metadata: {{ prompt: "{sentence}" }}'
        (tmp_path / f"{name}.gmn").write_text(f"gmn 1.0\nagent {name} {{ {metadata} }}\nnode ???")
    assert [e.name for e in choose("a thermostat", "general", load(tmp_path))] == ["b"]


def test_the_head_of_a_file_is_read_as_the_whole_file_is() -> None:
    for example in EXAMPLES:
        assert (example.prompt, example.agent_type) == (
            example.spec.meta("prompt"),
            example.spec.agent_type,
        )


SENTENCES = [
    ("Create a cautious explorer for a 5x5 grid world", "explorer"),
    ("an explorer on a 4x6 grid that must reach the top right corner", "explorer"),
    ("a bold agent in a 7 by 7 maze with 5 obstacles, 20% sensor noise", "explorer"),
    ("an explorer in a six by four grid that slips 25% of the time", "explorer"),
    ("a walker on a 3x3 grid, goal at (1,1), start at bottom right corner, avoid r0c1", "explorer"),
    ("a curious agent on a 4x4 grid, walls at r1c1, r2c2, reach r3c0", "explorer"),
    ("a robot moving among 4 rooms, goal room_3", "explorer"),
    ("find the intruder while patrolling four posts", "explorer"),
    ("a rat in a T-maze with a cue", "explorer"),
    ("a forager between nest and food patches", "explorer"),
    ("trader with three actions: buy, sell, hold", "trader"),
    ("trader with three actions: long, short, flat", "trader"),
    ("a trader of a noisy market with 30% noise", "trader"),
    ("someone who trades", "trader"),
    ("A coordinator for two teams", "coordinator"),
    ("balance the workload of two workers", "coordinator"),
    ("a warehouse robot that delivers parcels", "coordinator"),
    ("coordinate something", "coordinator"),
    ("an agent that decides about an umbrella", "general"),
    ("a thermostat for a cold room", "general"),
    ("a physician who tests before treatment", "general"),
    ("a support agent who asks the customer", "general"),
    ("a bandit with two arms", "general"),
    (
        "states: idle, busy, broken; actions: run, repair, wait. It should reach busy. Running"
        " leads to busy, repairing leads to idle",
        "general",
    ),
    ("states: low, mid, high; observations: dim, bright; prefers high", "general"),
    ("three actions: a, b, c", "general"),
    ("an agent that plans with horizon 4 on a 3x3 grid", "explorer"),
    ("explorer looking 2 steps ahead in a 5x5 grid with a perfect sensor", "explorer"),
    ("something completely unheard of", "general"),
    ("", "general"),
    ("x", "explorer"),
]


@pytest.mark.parametrize(("prompt", "agent_type"), SENTENCES)
@pytest.mark.parametrize("mode", OutputMode)
def test_every_sentence_gets_a_valid_running_model(
    prompt: str, agent_type: str, mode: OutputMode
) -> None:
    verdict = ask(prompt, agent_type, mode=mode)
    spec = spec_of(verdict)
    assert verdict.report.runs is True
    assert verdict.report.repairs == ()
    assert spec.agent_type == agent_type


@pytest.mark.parametrize(
    ("prompt", "expectation"),
    [
        (SENTENCES[0][0], "pos=r4c4 within 16 in 90%"),
        (SENTENCES[1][0], "pos=r0c5 within 14 in 90%"),
        (SENTENCES[2][0], "pos=r6c6 within 24 in 85%"),
        (SENTENCES[3][0], "pos=r5c3 within 24 in 85%"),
        (SENTENCES[4][0], "pos=r1c1 within 6 in 90%"),
        (SENTENCES[5][0], "pos=r3c0 within 8 in 90%"),
        (SENTENCES[6][0], "state=room_3 within 6 in 90%"),
        (SENTENCES[23][0], "state=busy within 6 in 90%"),
    ],
)
def test_a_named_goal_is_reached(prompt: str, expectation: str) -> None:
    spec = spec_of(ask(prompt, "explorer"))
    report = validate(spec, expectations=[Expectation.parse(expectation)]).report
    assert report.behaves is True, report.behaviour


def test_what_the_sentence_names_is_in_the_model() -> None:
    spec = spec_of(ask("4x6 grid, start at r0c5, goal at r3c0, walls at r1c1, 30% sensor noise, "
                       "slips 20% of the time, horizon 2", "explorer"))  # fmt: skip
    assert spec.states[0].shape == (4, 6)
    assert spec.priors[0].table.map == ("r0c5",)
    assert spec.transitions[0].table.blocked == ("r1c1",)
    assert (spec.likelihoods[0].table.noise, spec.transitions[0].table.noise) == (0.3, 0.2)
    assert spec.policy.horizon == 2
    values = spec.preferences[0].values
    assert spec.observations[0].names[values.index(max(values))] == "r3c0"
    assert "was not named" not in spec.meta("assumptions")


def test_what_could_not_be_honoured_is_listed_as_an_assumption() -> None:
    spec = spec_of(ask("explorer on a 30x30 grid, goal at r40c1, horizon 8", "explorer"))
    assumptions = spec.meta("assumptions")
    for part in ("instead of 30x30", "too many plans"):
        assert part in assumptions
    assert questions_of(spec) == ("'r40c1' is not a cell of the 14x14 grid: which is meant?",)


@pytest.mark.parametrize(
    ("prompt", "constraints"),
    [
        ("explorer on a 9x9 grid", {"max_states": 25, "max_actions": 4, "max_horizon": 2}),
        ("trader", {"max_states": 2, "max_actions": 2}),
        ("A coordinator for two teams", {"max_factors": 1}),
        ("a robot among 6 rooms", {"max_states": 3, "max_policies": 9}),
        ("a T-maze", {"max_observations": 4}),
    ],
)
def test_constraints_are_met_even_where_the_sentence_asks_for_more(
    prompt: str, constraints: dict[str, int]
) -> None:
    spec = spec_of(ask(prompt, "explorer", constraints))
    assert spec.meta("assumptions")


@pytest.mark.no_cover  # the same lines many times
@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 12),
    columns=st.integers(1, 12),
    noise=st.integers(0, 60),
    obstacles=st.integers(0, 8),
    goal=st.sampled_from(["", "reach the centre", "goal at r2c1", "reach the top left corner"]),
    temper=st.sampled_from(["", "cautious", "curious", "bold"]),
    bound=st.sampled_from(["max_states=16", "max_actions=4", "max_policies=25"]) | st.none(),
)
def test_any_grid_request_is_answered_with_a_valid_model(
    rows: int, columns: int, noise: int, obstacles: int, goal: str, temper: str, bound: str | None
) -> None:
    prompt = (
        f"a {temper} explorer, {rows}x{columns} grid, {noise}% noise, {obstacles} obstacles, {goal}"
    )
    name, _, most = (bound or "").partition("=")
    spec_of(ask(prompt, "explorer", {name: int(most)} if name else {}))


names = st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=2, max_size=6, unique=True)


@pytest.mark.no_cover  # the same lines many times
@settings(max_examples=25, deadline=None)
@given(
    states=names, actions=names, agent_type=st.sampled_from(["trader", "general", "coordinator"])
)
def test_any_named_request_is_answered_with_these_names(
    states: list[str], actions: list[str], agent_type: str
) -> None:
    prompt = f"states: {', '.join(states)}; actions: {', '.join(actions)}."
    spec = spec_of(ask(prompt, agent_type))
    assert spec.states[0].labels == tuple(states)
    assert spec.actions[0].labels == tuple(actions)


@pytest.mark.no_cover  # the same lines many times
@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80), st.sampled_from(["explorer", "trader", "coordinator", "general"]))
def test_any_words_at_all_get_a_valid_model(prompt: str, agent_type: str) -> None:
    spec_of(ask(prompt, agent_type))


def said(*sentences: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": sentence} for sentence in sentences]


@pytest.mark.parametrize(
    "messages", [[], said("hello"), said("a 3x3 grid", "thank you"), said("a poem on a cold day")]
)
def test_a_chat_message_gets_an_honest_answer(messages: list[dict[str, str]]) -> None:
    assert answer_chat(messages, OutputMode.PROMPT, EXAMPLES) == CHAT


def test_the_last_chat_message_that_describes_an_agent_gets_its_model() -> None:
    text = answer_chat(said("hello", "a thermostat for a cold room"), OutputMode.PROMPT, EXAMPLES)
    assert text == answer(Description("a thermostat for a cold room"), OutputMode.PROMPT, EXAMPLES)
    grid = validate(answer_chat(said("Request: a 3x4 grid"), OutputMode.JSON_OBJECT, EXAMPLES))
    assert spec_of(grid).states[0].shape == (3, 4)


def patched(spec: GMNSpec, feedback: str) -> tuple[Evaluation[GMNSpec], list[dict[str, object]]]:
    contract = GMNContract()
    evaluation = contract.evaluate_source(spec)
    description = Description(document=contract.name_keyed(evaluation), feedback=feedback)
    patch = answer(description, OutputMode.PROMPT, EXAMPLES)
    return contract.apply_patch(evaluation, patch), json.loads(patch)


def revise(spec: GMNSpec, feedback: str) -> tuple[Validation, list[dict[str, object]]]:
    amended, patch = patched(spec, feedback)
    assert amended.is_accepted, amended.report.errors
    assert amended.value is not None
    return validate(amended.value), patch


EXPLORER = next(e.spec for e in EXAMPLES if e.name == "explorer")


def test_memory_is_a_factor_that_remembers_and_is_seen() -> None:
    verdict, _ = revise(EXPLORER, "Add memory")
    spec = spec_of(verdict)
    assert [s.name for s in spec.states] == ["pos", "memory"]
    assert [o.name for o in spec.observations] == ["cell", "recall"]
    report = validate(spec, expectations=[Expectation.parse("memory=seen within 30 in 50%")]).report
    assert report.behaves is True


@pytest.mark.parametrize(
    ("feedback", "path", "value"),
    [
        ("look further ahead", "/policy/horizon", 4),
        ("horizon 2", "/policy/horizon", 2),
        ("be more cautious", "/policy/info_gain", True),
        ("be greedy", "/policy/info_gain", False),
        ("more curious please", "/policy/info_gain", True),
        ("less noise", "/likelihoods/cell/table/noise", 0.05),
        ("more noise", "/likelihoods/cell/table/noise", 0.2),
        ("30% sensor noise", "/likelihoods/cell/table/noise", 0.3),
        ("call it scout", "/name", "scout"),
    ],
)
def test_feedback_becomes_a_patch(feedback: str, path: str, value: object) -> None:
    _, patch = revise(EXPLORER, feedback)
    assert {"op": "add", "path": path, "value": value} in patch


def test_caution_and_curiosity_change_what_weighs_and_not_a_gamma_that_changes_nothing() -> None:
    trader = next(e.spec for e in EXAMPLES if e.name == "trader")
    disliked = [u for p in trader.preferences for u in (*p.values, *(g.utility for g in p.goals))]
    assert min(disliked) < 0
    for feedback, liked, averse in (("be more cautious", 1.0, 1.5), ("be curious", 0.5, 0.5)):
        spec = spec_of(revise(trader, feedback)[0])
        assert spec.policy.gamma == trader.policy.gamma
        weighed = [u for p in spec.preferences for u in (*p.values, *(g.utility for g in p.goals))]
        assert weighed == [u * (averse if u < 0 else liked) for u in disliked]
    spec = write_model("a cautious trader", "trader", {}, EXAMPLES)
    assert "what is disliked weighs 1.5 times as much" in spec.meta("assumptions")
    assert "gamma" not in spec.meta("assumptions")


def test_a_new_goal_and_a_new_start_are_honoured() -> None:
    verdict, _ = revise(EXPLORER, "goal at r2c2, start at the bottom left corner")
    spec = spec_of(verdict)
    assert spec.preferences[0].goal_gradient[0].goal == "r2c2"
    assert spec.priors[0].table.map == ("r4c0",)


def test_feedback_that_cannot_be_honoured_is_said_and_nothing_else_changes() -> None:
    amended, patch = patched(EXPLORER, "make it sing")
    assert [op["path"] for op in patch] == ["/metadata/assumptions"]
    assert "make it sing" in str(patch[0]["value"])
    assert [d.code for d in amended.report.errors] == ["PATCH2"]
    assert amended.value == EXPLORER


def test_places_in_words_become_cells() -> None:
    places = ("top left corner", "centre", "r9c9", "r1c2", "top corner", "near corner", "exit")
    assert {words: cell_at(words, 4, 6) for words in places} == {
        "top left corner": "r0c0", "centre": "r2c3", "r9c9": None, "r1c2": "r1c2",
        "top corner": "r0c5", "near corner": "r0c0", "exit": None,
    }  # fmt: skip
    assert cell_at("r4c6", 4, 6, is_counted=True) == "r3c5"


def test_numbers_in_words_and_digits_are_honoured() -> None:
    asked = "a six by four grid with two obstacles, plans three steps ahead, goal at r5c3"
    spec = write_model(asked, "general", {}, EXAMPLES)
    assert (spec.states[0].shape, spec.policy.horizon) == ((6, 4), 3)
    assert len(spec.transitions[0].table.blocked) == 2
    noisy = write_model("a 3x3 grid, goal at r2c2, noisy sensors, never slips", "", {}, EXAMPLES)
    assert noisy.likelihoods[0].table.noise == 0.2
    assert noisy.transitions[0].table.noise == 0.0


@pytest.mark.parametrize(
    ("sentence", "is_asked"),
    [
        ("a bandit with three arms", True),
        ("a two-armed bandit", False),
        ("a coordinator for two teams", False),
        ("balance the workload of two workers", False),
        ("patrol six posts", True),
        ("a walker on a 4x6 grid with 3 obstacles, planning 2 steps ahead", False),
        ("a robot moving among 4 rooms with 2 keys, goal room_3", True),
        ("a robot moving among 4 rooms, goal room_3", False),
    ],
)
def test_a_number_that_the_model_does_not_have_is_asked_about(
    sentence: str, is_asked: bool
) -> None:
    assert bool(questions_of(write_model(sentence, "general", {}, EXAMPLES))) is is_asked


def test_a_curious_agent_halves_what_rules_say_too() -> None:
    rules = "node preference R { on: [pos, go] rules: [{when: {go: left}, utility: -4}] }"
    example = replace(EXAMPLES[0], text=plus(rules))
    spec = write_model("a curious bandit", "general", {}, [example])
    assert spec.preferences[1].rules[0].utility == -2
