"""Actions that nothing but their effects names, and ranges of names."""

from __future__ import annotations

import pytest

from orchestrator.gmn.request.commitment import Kind
from orchestrator.gmn.request.read import read

BOILER = "A boiler is cold, warm or hot. "


def values(text: str, kind: Kind) -> list[object]:
    return [one.value for one in read(text).commitments if one.kind == kind]


def test_what_does_something_is_an_action() -> None:
    said = BOILER + "Heat always moves one step up, cool one step down, off leaves it."
    assert values(said, "actions") == [("heat", "cool", "off")]
    assert {(one.action, one.step) for one in read(said).effects} == {
        ("heat", 1), ("cool", -1), ("off", 0)
    }  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        "Heat moves one step up.",  # one alone may be what happens by itself
        "Heat always makes cold warm, heat never makes cold warm.",
        "The sun makes cold warm, cool makes warm cold, off leaves it.",  # nature does not choose
        "It makes cold warm, cool makes warm cold, off leaves it.",
        "Off leaves it.",  # one alone is not a choice
        "Warm makes one step up, cold one step down, off leaves it.",  # states do nothing
    ],
)
def test_what_happens_by_itself_is_no_choice(said: str) -> None:
    assert values(BOILER + said, "actions") == []


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("A lift knows floor 0 to floor 2; it waits.", ("floor 0", "floor 1", "floor 2")),
        ("States: 1 to 3.", ("1", "2", "3")),
        ("States: one to three.", ("one", "two", "three")),
        ("States: p0..p2.", ("p0", "p1", "p2")),
        ("States: B-D.", ("B", "C", "D")),
        ("States: floor 0, 1 or 2.", ("floor 0", "floor 1", "floor 2")),
    ],
)
def test_a_range_is_its_names(said: str, names: tuple[str, ...]) -> None:
    reading = read(said)
    assert names in [one.value for one in reading.commitments if one.kind in ("states", "options")]


@pytest.mark.parametrize(
    "said",
    [
        "A postman goes from house 1 to house 8.",  # a journey
        "A shop sells 10 to 20 crates.",
        "A lift knows floor 3 to floor 1.",
        "A lift knows floor 0 to storey 4.",
        "A lift knows floor 0 to floor 9999.",
    ],
)
def test_two_numbers_are_not_always_a_range(said: str) -> None:
    assert not [one for one in read(said).commitments if one.kind in ("states", "options")]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("Heat: cold to warm, warm to hot. Cool: exactly the reverse. Off: as it is.",
         ["heat cold warm", "heat warm hot", "cool warm cold", "cool hot warm", "off  @stay"]),
        ("HEAT - cold becomes warm. COOL - hot becomes warm, otherwise no change.",
         ["heat cold warm", "cool hot warm", "cool  @stay"]),
        ("heat -> hot, cool \u2192 cold", ["heat  hot", "cool  cold"]),
        ("- heat: next step\n- cool: one down\n- rest: nothing happens",
         ["heat  +1", "cool  -1", "rest  @stay"]),
        ("Heat: one step warmer. Cool: one step colder. Warm does not change.",
         ["heat  +1", "cool  -1"]),
        ("hot tap: one up. cold tap: one down.", ["hot tap  +1", "cold tap  -1"]),
        ("The pump raises it by one level, the tap lowers it by one. If you do nothing, the sun"
         " takes one level away.", ["pump  +1", "tap  -1", "do nothing  -1"]),
        ("Heating: cold goes to warm, warm goes to hot. Cooling does the opposite.",
         ["heating cold warm", "heating warm hot", "cooling warm cold", "cooling hot warm"]),
        ("Give fuel: cold to warm. Cover it: anything becomes hot. Rest: no change.",
         ["give fuel cold warm", "cover it  hot", "rest  @stay"]),
        ("Turn heater on: cold becomes warm. Turn heater off: warm becomes cold.",
         ["turn heater on cold warm", "turn heater off warm cold"]),
    ],
)  # fmt: skip
def test_what_stands_before_what_it_does_is_an_action(said: str, wanted: list[str]) -> None:
    effects = read(BOILER + said).effects
    found = [f"{e.action} {e.before} {e.after or format(e.step, '+d')}" for e in effects]
    assert found == wanted


@pytest.mark.parametrize(
    "said",
    [
        "Heat: cold becomes warm.",
        "Weather: cold becomes warm. Season: warm becomes hot.",  # nobody does them
        "Transitions: cold to warm. Rules: warm to hot.",
        "Warm: it becomes hot. Hot: it becomes cold.",  # states are what it happens in
        "Goal: hot. Start: cold.",
        "Goal = hot, start = cold.",
        "The leak lowers it by one level, the pump raises it by one level.",
        "Otherwise it becomes hot, heat: cold to warm.",
    ],
)
def test_what_stands_before_something_else_is_no_action(said: str) -> None:
    assert values(BOILER + said, "actions") == []


@pytest.mark.parametrize(
    ("said", "start"),
    [
        ("In the morning it is cold.", ["cold"]),
        ("Now it is warm.", ["warm"]),
        ("Currently hot.", ["hot"]),
        ("It comes in hot.", ["hot"]),
        ("Out of the box it's cold.", ["cold"]),
        ("Out of the shed it's cold.", ["cold"]),
        ("It's warm now, want it hot.", ["warm"]),
        ("When it rains it is cold.", []),  # on a condition
        ("Sometimes it is cold.", []),
        ("Now it is not cold.", []),
        ("It must be warm.", []),
        ("Cold is bad.", []),
        ("By itself it is cold.", []),
    ],
)
def test_how_things_are_at_first_is_a_start(said: str, start: list[str]) -> None:
    assert values(BOILER + said, "start") == start


@pytest.mark.parametrize(
    "said",
    ["A hot one stays hot.", "Hot is final.", "It stays as it is.", "It never changes.",
     "Otherwise it stays.", "Hot and cold don't change."],
)  # fmt: skip
def test_what_stays_is_no_wish_and_is_understood(said: str) -> None:
    reading = read(BOILER + "Actions: heat, cool. Heating makes cold warm. " + said)
    assert not [one for one in reading.commitments if one.kind in ("goal", "avoid", "start")]
    assert not reading.unclear


def test_what_is_final_is_left_by_no_action() -> None:
    effects = read(BOILER + "Actions: heat, cool. Hot is final.").effects
    assert [(e.action, e.before, e.after) for e in effects] == [
        ("heat", "hot", "@stay"), ("cool", "hot", "@stay")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "shares"),
    [
        ("A gate is open (60%) or shut (40%).", [(0.6, 0.4)]),
        ("A gate is open or shut (prior 0.6 / 0.4).", [(0.6, 0.4)]),
        ("A gate is open or shut with prior probabilities 0.6 and 0.4.", [(0.6, 0.4)]),
        ("A gate is open (60%) or shut (10%).", []),  # the shares of all make 1
        ("A gate is open or shut (40%).", []),
        ("A gate is open or shut. Prior work took 0.6 and 0.4 hours.", []),
    ],
)  # fmt: skip
def test_shares_behind_names_are_a_prior(said: str, shares: list[object]) -> None:
    assert values(said, "prior") == shares


@pytest.mark.parametrize(
    ("said", "chance"),
    [
        ("Heating makes cold warm with probability 2/3.", 2 / 3),
        ("Heating makes cold warm with .25.", 0.25),
        ("Heating makes cold warm, 9 in 10.", 0.9),
        ("Heating makes cold warm in three quarters of cases.", 0.75),
        ("Heating makes cold warm in half of all cases.", 0.5),
        ("Heating makes cold warm in 4 of 5 tries.", 0.8),
        ("Heating makes cold warm, 10% of the pots break.", None),  # that is of the pots
        ("Heating makes cold warm.", None),
        ("Heating makes cold warm on 2/3.", None),  # a date
    ],
)
def test_how_often_it_happens(said: str, chance: float | None) -> None:
    (effect,) = read(BOILER + "Actions: heat, cool. " + said).effects
    assert effect.chance == (chance if chance is None else pytest.approx(chance))


def test_a_comparison_of_the_state_in_the_middle_is_not_read() -> None:
    """Warmer than what? One step may be up or down."""
    reading = read(
        "A mood is calm, tense or furious. Actions: joke, tease. Teasing makes it tenser."
    )
    assert reading.effects == ()
    assert reading.unclear


@pytest.mark.parametrize(
    "said",
    [
        "Heating turns cold into warm with 60% and into hot with 10%.",
        "Heating: cold->warm 60% / hot 10%.",
        "Heating makes cold warm (60%) or hot (10%).",
    ],
)
def test_an_action_may_lead_to_several_states(said: str) -> None:
    effects = read(BOILER + "Actions: heat, cool. " + said).effects
    found = [(one.action, one.before, one.after, one.chance) for one in effects]
    assert found == [("heat", "cold", "warm", 0.6), ("heat", "cold", "hot", 0.1)]


def test_odds_before_a_word_of_sensing_are_its_noise() -> None:
    assert values(BOILER + "The gauge is 3:1 reliable.", "noise") == [0.25]
    assert values(BOILER + "The gauge shows 3:1.", "noise") == []


def test_a_number_that_is_said_twice_is_said_of_both() -> None:
    said = BOILER + "Actions: heat, cool. Heating makes cold warm with 20%, cooling makes warm cold"
    said += " with 20%. Heating costs 1, cooling costs 1."
    assert [one.chance for one in read(said).effects] == [0.2, 0.2]
    paid = [(o.about, o.value) for o in read(said).commitments if o.kind == "utility"]
    assert paid == [("Heating", -1.0), ("cooling", -1.0)]
    assert values("It is wet (60%), dry (20%) or frozen (20%).", "prior") == [(0.6, 0.2, 0.2)]


def test_a_state_is_not_the_action_that_sounds_alike() -> None:
    said = "A post is draft, reviewed or published. Actions: review, edit. edit: reviewed -> draft."
    assert [(e.action, e.before) for e in read(said).effects] == [("edit", "reviewed")]


def test_what_is_said_of_each_is_said_of_all_before_it() -> None:
    said = BOILER + "Actions: heat, cool. Cooling makes hot warm. Heating turns cold into warm and"
    said += " warm into hot, each with 90%."
    assert [one.chance for one in read(said).effects] == [None, 0.9, 0.9]
