"""Queries of a running agent: when they are asked, what they cost, and what an answer changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator import (
    Agent,
    BudgetExceededError,
    InvalidOutputError,
    Orchestrator,
    ServiceUnavailableError,
)
from orchestrator.gmn.acting.episode import Run
from orchestrator.gmn.acting.simulate import run
from orchestrator.gmn.acting.world import World
from tests.support.wire import Reply, WireServer, configured

MODEL = """
gmn 1.0
agent traveller {}
node state weather { labels: [dry, wet] }
node state at { labels: [home, beach, museum] }
node observation sky { labels: [bright, grey] }
node observation place { labels: [home, beach, museum] }
node action go { labels: [home, beach, museum] }
node emission A1 { from: [weather] to: sky rows: [[0.6, 0.4], [0.4, 0.6]] }
node emission A2 { from: [at] to: place identity }
node transition B1 { from: [weather] to: weather identity }
node transition B2 { from: [go] to: at map: [home, beach, museum] }
node belief D1 { about: weather uniform }
node belief D2 { about: at map: [home] }
node preference C { on: place values: [0, 1, 1] }
QUERY
end
"""
ASK = (
    "node llm_query forecast { trigger: TRIGGER inputs: [sky, at]"
    ' prompt: "The sky is {sky}, we are at {at}. Keep {1}." effect: EFFECT target: TARGET }'
)


def model(trigger: str, effect: str, target: str, value: str = "0") -> str:
    query = ASK.replace("TRIGGER", f"{trigger} trigger_value: {value}").replace("EFFECT", effect)
    query = query.replace("TARGET", target) if target else query.replace(" target: TARGET", "")
    return MODEL.replace("QUERY", query)


def said(value: str) -> str:
    return json.dumps({"value": value})


async def ran(wire: WireServer, document: str, steps: int, **options: Any) -> Run:
    async with Orchestrator(configured(wire.base, "m")) as orc:
        return await orc.run_agent(document, steps=steps, **options)


async def test_the_question_has_labels_alone_and_asks_for_one_of_the_target(
    wire: WireServer,
) -> None:
    wire.plan("m", said("wet"))
    made = await ran(wire, model("on_start", "set_prior", "weather"), 3)
    (request,) = wire.requests
    asked = request["messages"][-1]["content"]
    assert asked == f"The sky is {made.steps[0].observation['sky']}, we are at home. Keep {{1}}."
    assert json.dumps(request["response_format"]).count('["dry", "wet"]') == 1
    (answered,) = made.answers
    assert (answered.question.step, answered.answer, answered.is_possible) == (1, "wet", True)
    assert made.steps[1].belief["weather"][0] == "wet"
    assert made.unasked == 0


async def test_an_equal_question_is_answered_from_the_cache_and_stands_in_the_ledger(
    wire: WireServer,
) -> None:
    wire.plan("m", said("wet"))
    document = model("on_observation", "note", "weather")
    async with Orchestrator(configured(wire.base, "m")) as orc:
        made = await orc.run_agent(document, steps=8)
        again = await orc.run_agent(document, steps=8)
        lines = await orc.usage()
    different = {answer.question.prompt for answer in made.answers}
    assert len(made.answers) == len(again.answers) == 8
    assert len(wire.requests) == len(different) < 8
    assert {line["operation"] for line in lines} == {"run_agent"}
    assert sum(line["billed_usd"] > 0 for line in lines) == len(different)


async def test_a_label_outside_the_set_is_asked_for_again_and_then_an_error(
    wire: WireServer,
) -> None:
    document = model("on_start", "set_prior", "weather")
    wire.plan("m", said("snow"), said("wet"))
    assert (await ran(wire, document, 1)).answers[0].answer == "wet"
    wire.clear()
    wire.plan("m", said("snow"))
    with pytest.raises(InvalidOutputError) as refused:
        await ran(wire, document, 1, cache="off")
    assert len(wire.requests) == 2
    assert "query forecast at step 1" in " ".join(refused.value.__notes__)
    assert len(refused.value.attempts) == 2


async def test_an_outage_ends_the_run_and_what_was_paid_is_not_paid_again(
    wire: WireServer,
) -> None:
    document = model("on_observation", "note", "")
    wire.plan("m", said("a note"), Reply(status=503))
    with pytest.raises(ServiceUnavailableError) as refused:
        await ran(wire, document, 8)
    assert "query forecast at step" in " ".join(refused.value.__notes__)
    paid = wire.requests[0]["messages"]
    wire.clear()
    wire.plan("m", said("another note"))
    made = await ran(wire, document, 8)
    assert made.answers[0].answer == "a note"
    assert wire.requests
    assert all(request["messages"] != paid for request in wire.requests)


async def test_what_the_budget_does_not_cover_is_not_asked(wire: WireServer) -> None:
    wire.plan("m", said("wet"))
    config = configured(wire.base, "m", budgets={"usd_per_day": 1e-9})
    async with Orchestrator(config) as orc:
        with pytest.raises(BudgetExceededError):
            await orc.run_agent(model("on_start", "note", "weather"), steps=2)
    assert wire.requests == []


async def test_more_calls_than_allowed_are_refused_before_anything_is_asked(
    wire: WireServer,
) -> None:
    wire.plan("m", said("wet"))
    with pytest.raises(ValueError, match=r"20 steps .* up to 40 times \(forecast 20 times.*is 30"):
        await ran(wire, model("on_observation", "note", "weather"), 20, max_calls=30)
    with pytest.raises(ValueError, match="up to 10 times"):
        await ran(wire, model("every_n_steps", "note", "weather", "4"), 20, max_calls=9)
    assert wire.requests == []


def test_a_blocking_run_takes_an_agent_and_an_environment(wire: WireServer) -> None:
    wire.plan("m", said("beach"))
    agent = Agent(model("on_start", "suggest_action", "go"))
    with Orchestrator(configured(wire.base, "m")) as orc:
        made = orc.sync.run_agent(agent, World(agent.model), 2, seed=4)
    assert made.seed == 4
    assert dict(made.steps[0].action) == {"go": "beach"}


# -- when they are due, and what an answer changes; nothing is asked


def due(document: str, steps: int, **seen: str) -> list[int]:
    agent, found = Agent(document), []
    for number in range(1, steps + 1):
        agent.observe(seen)
        found += [number] * len(agent.questions())
        agent.act()
    return found


@pytest.mark.parametrize(
    ("trigger", "value", "expected"),
    [
        ("on_start", "0", [1]),
        ("on_observation", "0", [1, 2, 3, 4]),
        ("every_n_steps", "2", [2, 4]),
        ("on_uncertainty", "0.99", []),
        ("on_uncertainty", "0.9", [1]),
        ("on_goal", "0", []),
        ("on_error", "0", []),
    ],
)
def test_each_trigger_holds_at_its_steps(trigger: str, value: str, expected: list[int]) -> None:
    assert due(model(trigger, "note", "", value), 4, sky="grey") == expected


def test_a_query_on_errors_is_due_at_an_impossible_observation() -> None:
    agent = Agent(model("on_error", "note", ""))
    with pytest.warns(RuntimeWarning, match="GMN904"):
        agent.observe({"place": "beach"})  # it knows that it is at home
    assert [q.query.name for q in agent.questions()] == ["forecast"]


def test_a_query_on_goals_is_due_where_the_best_is_observed() -> None:
    agent = Agent(model("on_goal", "note", ""))
    agent.observe({"place": "home"})
    assert agent.questions() == ()
    went = agent.act()
    agent.observe({"place": went["go"]})
    assert len(agent.questions()) == 1


def answered(effect: str, target: str, label: str, values: str = "values: [0, 1, 1]") -> Agent:
    agent = Agent(model("on_start", effect, target).replace("values: [0, 1, 1]", values))
    agent.observe({"place": "home"})
    (question,) = agent.questions()
    with pytest.raises(ValueError, match="is not one of"):
        agent.answer(question, "elsewhere")
    assert agent.answer(question, label).is_possible
    assert agent.questions() == ()
    return agent


@pytest.mark.parametrize("label", ["beach", "museum"])
def test_an_answer_has_its_effect(label: str) -> None:
    assert answered("suggest_action", "go", label).act() == {"go": label}
    preferring = answered("set_preference", "place", label)
    assert [preferring.step({}) if i else preferring.act() for i in range(3)] == [{"go": label}] * 3
    preferring.reset()
    assert preferring.model.C[1].tolist() == [0, 1, 1]


def test_a_suggestion_holds_for_one_choice() -> None:
    agent = answered("suggest_action", "go", "museum", "values: [0, 1.1, 1]")
    assert [agent.act(), agent.step({})] == [{"go": "museum"}, {"go": "beach"}]


def test_a_suggestion_counts_where_the_same_beliefs_were_chosen_from_before() -> None:
    agent = Agent(model("on_start", "suggest_action", "go"))
    agent.observe({"place": "home"})
    before = agent.act()["go"]
    agent.reset()
    agent.observe({"place": "home"})
    other = {"beach": "museum", "museum": "beach"}[before]
    agent.answer(agent.questions()[0], other)
    assert agent.act() == {"go": other}
    agent.reset()
    assert agent.step({"place": "home"}) == {"go": before}


def test_an_answer_that_is_observed_comes_with_the_next_step() -> None:
    agent = answered("observe", "sky", "grey")
    agent.act()
    assert agent.beliefs["weather"]["wet"] == 0.5
    assert agent.observe({})["weather"]["wet"] == pytest.approx(0.6)


def test_an_answer_about_a_state_takes_nine_tenths_of_the_belief_and_never_the_impossible() -> None:
    agent = answered("set_prior", "weather", "wet")
    assert agent.beliefs["weather"] == pytest.approx({"dry": 0.05, "wet": 0.95})
    other = Agent(model("on_start", "set_prior", "at"))
    other.observe({"place": "home"})
    before = other.beliefs
    assert not other.answer(other.questions()[0], "beach").is_possible
    assert other.beliefs == before


def test_an_answer_counts_once_and_in_its_own_step() -> None:
    agent = Agent(model("on_start", "set_prior", "weather"))
    agent.observe({"place": "home"})
    (question,) = agent.questions()
    wrong: list[tuple[Any, Any, str]] = [
        (question, None, "answer is NoneType, expected the text of a label"),
        (question, 0, "answer is int"),
        (None, "wet", r"question is NoneType, expected one of agent\.questions\(\)"),
        ("mood", "wet", "question is str"),
    ]
    for asked, answer, words in wrong:
        with pytest.raises(TypeError, match=words):
            agent.answer(asked, answer)
    agent.answer(question, "wet")
    before = agent.beliefs
    with pytest.raises(RuntimeError, match="answered already at step 1"):
        agent.answer(question, "wet")
    assert agent.beliefs == before
    agent.act()
    before = agent.beliefs
    for _ in range(2):  # before the next observation, and after it
        with pytest.raises(RuntimeError, match=r"of step 1, .* between observe\(\) and act\(\)"):
            agent.answer(question, "dry")
        if agent.number == 1:
            assert agent.beliefs == before
            agent.observe({})
    agent.reset()
    with pytest.raises(RuntimeError, match=r"between observe\(\) and act\(\)"):
        agent.answer(question, "dry")
    other = Agent(model("on_start", "note", ""))
    other.observe({"place": "home"})
    with pytest.raises(ValueError, match="this agent has no such query"):
        other.answer(question, "dry")


def test_a_run_without_a_language_model_says_what_was_not_asked() -> None:
    agent = Agent(model("on_observation", "note", ""))
    with pytest.warns(RuntimeWarning, match=r"3 questions .* not asked.*run_agent"):
        made = run(agent, World(agent.model), 3)
    assert made.unasked == 3
