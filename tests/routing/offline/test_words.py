"""The embedded provider builds from the words of a sentence, or asks for what it does not say."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.config.paths import shipped
from orchestrator.generation.evaluation.evaluate import Case, load_cases
from orchestrator.generation.request_building import load_library
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.request.read import read
from orchestrator.gmn.validate import validate
from orchestrator.routing.offline.answer import questions_of, write_model
from orchestrator.routing.offline.questions import with_answer
from tests.support.built import Wanted, built, sentences, tally

Output = pytest.CaptureFixture[str]
DOES = "what does `{}` do: which of a, b does it lead to, if any?"
SHOWS = "what does `watch` show, and how often is it right?"
VOLCANO = "A volcano is dormant, restless or erupting. Evacuate, watch or ignore."
DOOR = "A door is open, closed or locked. Actions: open, close, lock. It should end up locked."


def made(sentence: str, agent_type: str = "general") -> GMNSpec:
    return write_model(sentence, agent_type, {}, load_library())


@pytest.mark.parametrize("one", sentences(), ids=lambda one: one.id)
def test_a_sentence_becomes_its_model_or_valid_questions(one: Wanted) -> None:
    what = built(one)
    assert bool(what.questions) == (not one.is_enough or one.id in ASKED_ANYWAY), what.questions
    assert what.wrong == ()
    verdict = validate(what.spec)
    assert verdict.report.errors == ()
    assert verdict.report.runs is True


@pytest.mark.parametrize(
    "case", load_cases(shipped("prompts", "eval.yaml")), ids=lambda c: c.prompt
)
def test_what_eval_asks_becomes_a_model(case: Case) -> None:
    assert questions_of(made(case.prompt, case.agent_type)) == ()


#: Sentences that say enough for a person, and of which the provider asks more.
ASKED_ANYWAY = {"20", "27", "33", "39", "40", "53", "57", "58"}
ASKED_ANYWAY |= {"97", "100", "107", "108", "112", "114", "119"}


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("Heating: raw to done, done to burnt.",
         ["heat raw done None", "heat done burnt None"]),
        ("Heating: raw -> done (80%), done -> burnt.",
         ["heat raw done 0.8", "heat done burnt None"]),
        ("Heating tempts raw into done and done into burnt half of the time.",
         ["heat raw done 0.5", "heat done burnt 0.5"]),
        ("Heating turns raw into done, cooling does the opposite.",
         ["heat raw done None", "cool done raw None"]),
        ("Heating makes raw done but does not help when burnt.",
         ["heat raw done None", "heat burnt @stay None"]),
        ("A kiss makes it done.", ["blow a kiss  done None"]),
        ("Cooling and heating make it burnt.", ["heat  burnt None", "cool  burnt None"]),
        ("Heating never takes raw to done.", []),
        ("Heat => no change.", ["heat  @stay None"]),
        ("It becomes done by heating.", ["heat  done None"]),
    ],
)  # fmt: skip
def test_what_an_action_does_is_read_in_these_wordings(said: str, wanted: list[str]) -> None:
    reading = read(f"States: raw, done, burnt. Actions: heat, cool, blow a kiss. {said}")
    assert [f"{e.action} {e.before} {e.after} {e.chance}" for e in reading.effects] == wanted


def _questions(said: str) -> str:
    return " ".join(
        questions_of(made("A boiler is cold, warm or hot. Actions: heat, cool. " + said))
    )


def test_what_leads_to_several_states_has_all_of_them() -> None:
    spec = made(
        "A loan is open, paid or lost. Actions: ask, wait. Asking turns open into paid with 60% and"
        " into lost with 10%. Waiting does nothing. Goal: paid."
    )
    assert questions_of(spec) == ()
    (asked,) = (
        r for r in spec.transitions[0].table.rules if ("open",) in [c.values for c in r.when]
    )
    assert {one.value: one.p for one in asked.then} == {"paid": 0.6, "lost": 0.1, "@stay": 0.3}


def test_the_rest_of_a_step_stays() -> None:
    spec = made(
        "A loan is small, mid or large. Pay: one step down (80%), otherwise no change. Borrow: one"
        " step up. Goal: small."
    )
    assert questions_of(spec) == ()
    ways = {(r.when[0].values[0], r.when[1].values): {o.value: o.p for o in r.then}
            for r in spec.transitions[0].table.rules}  # fmt: skip
    assert ways["pay", ("mid",)] == {"small": 0.8, "@stay": 0.2}
    assert ways["borrow", ("mid",)] == {"large": 1.0}


@pytest.mark.parametrize(
    "said",
    [
        "Heating makes cold warm. Heating makes cold hot.",
        "Heating makes cold warm with 70%. Heating makes cold hot with 50%.",  # more than always
        "Heating makes cold hot with 70% and leaves it cold with 50%.",
    ],
)
def test_two_ways_from_one_state_are_asked_about(said: str) -> None:
    assert "is so, or how often is each?" in _questions(said)


def test_a_state_of_several_that_sometimes_stays_is_asked_about() -> None:
    assert "where does cold go when it does not stay?" in _questions("Cold stays cold with 0.9.")


@pytest.mark.parametrize(
    "said",
    [
        "A carousel is at A, B or C.",
        "A dial is at A, B or C; it turns clockwise.",
        "Stops in a circle: A, B, C.",
    ],
)
def test_a_ring_has_no_end(said: str) -> None:
    spec = made(f"{said} Actions: forward, back. Goal: A.")
    ways = {(r.when[0].values[0], r.when[1].values[0]): r.then[0].value
            for r in spec.transitions[0].table.rules}  # fmt: skip
    assert (ways["forward", "C"], ways["back", "A"]) == ("A", "C")


def test_ways_that_are_said_and_not_read_are_no_going_everywhere() -> None:
    spec = made("Six stations, numbered. forward = next one, wait = none. Goal: station 5.")
    assert "what can the agent do" in " ".join(questions_of(spec))


def test_nothing_is_contradicted_or_silently_ignored() -> None:
    found = tally("")
    assert found["contradicted"] == found["ignored"] == 0
    assert found["right"] == found["models"] >= 0.6 * found["sentences"]


def test_the_command_refuses_with_questions_in_place_of_another_model(capsys: Output) -> None:
    assert main(["generate", VOLCANO, "--provider", "offline", "--cache", "off"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "the request does not say enough for a model" in said.err
    assert "knows twelve kinds of agents and what you named; still to be said:" in said.err
    assert "what does `watch` show, and how often is it right?" in said.err
    assert "[2]" not in said.err  # it is not asked again
    assert "labels: [dormant, restless, erupting]" in said.err


def test_the_questions_are_in_the_json_of_the_refusal(capsys: Output) -> None:
    assert main(["generate", VOLCANO, "--provider", "offline", "--cache", "off", "--json"]) == 1
    (answer,) = json.loads(capsys.readouterr().out)["error"]["answers"]
    assert [one["code"] for one in answer["findings"] if one["severity"] == "error"] == ["GMN611"]


@pytest.mark.parametrize(
    ("sentence", "name"),
    [
        ("a thermostat for a cold room", "thermostat"),
        ("A contrarian thermostat that wants the room freezing", "thermostat"),
        ("a two-armed bandit", "bandit"),
        ("someone who decides whether to take an umbrella", "umbrella"),
        ("a trader who buys, holds or sells on a noisy signal", "trader"),
    ],
)
def test_a_curated_model_is_chosen_on_evidence_and_says_so(sentence: str, name: str) -> None:
    spec = made(sentence)
    assert questions_of(spec) == ()
    assert f"adapted from the curated {name} ('" in spec.meta("assumptions")


def test_a_type_that_says_the_same_lets_more_words_be_strange() -> None:
    sentence = "a trader who waits for a good price"
    assert questions_of(made(sentence, "trader")) == ()
    assert questions_of(made(sentence))


@pytest.mark.parametrize(
    "sentence",
    [
        "a bandit with three arms",
        "a trader of spices who crosses the desert with seven camels",
        "a thermostat that is broken, singing or asleep",
        "someone who watches a noisy bar",
    ],
)
def test_a_curated_model_is_not_chosen_where_the_sentence_says_something_else(
    sentence: str,
) -> None:
    spec = made(sentence)
    assert "curated" not in spec.meta("assumptions")
    assert questions_of(spec)


def test_effects_sensors_and_utilities_become_the_tables() -> None:
    spec = made(
        "A plant is dry, moist or soggy. Watering makes it moist 90% of the time, draining turns"
        " soggy into dry; left alone it becomes dry with probability 0.3. The probe is 85%"
        " accurate. Moist is worth 4, soggy is worth -2."
    )
    assert questions_of(spec) == ()
    verdict = validate(spec)
    assert verdict.compiled is not None
    state, action = (v[0].names for v in (spec.states, spec.actions))
    assert action == ("watering", "draining", "wait")
    moved = verdict.compiled.B[0]
    dry, moist, soggy = (state.index(name) for name in ("dry", "moist", "soggy"))
    assert moved[moist, soggy, 0] == pytest.approx(0.9)
    assert moved[dry, soggy, 0] == pytest.approx(0.1 * 0.3)
    assert moved[dry, soggy, 1] == 1
    assert moved[dry, moist, 2] == pytest.approx(0.3)
    assert verdict.compiled.A[0][moist, moist] == pytest.approx(0.85)
    assert {g.value: g.utility for g in spec.preferences[0].goals} == {"moist": 4, "soggy": -2}


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("A door is open or closed. It wants closed.", "what can the agent do"),
        ("Actions: open, close. It should end up closed.", "which states can there be"),
        ("A door is open, closed or stuck. Actions: open, close.", "what does the agent want"),
        (
            f"{DOOR} Kicking works 30% of the time.",
            "what is 'works 30% of the time' the probability of?",
        ),
        (f"{DOOR} 9 in 10 guests close it.", "what is '9 in 10' the probability of?"),
        (f"{DOOR} A knock costs 4.", "what does 'costs 4' count for"),
        (f"{DOOR} It starts ajar.", "where does it start"),
        (f"{DOOR} Avoid burglars.", "is meant by 'Avoid burglars'"),
        (f"{DOOR} The wind opens it at night.", "mean for the model?"),
        ("a 3x3 grid with goal r5c5", "is not a cell of the 3x3 grid"),
        ("a 3x3 grid, reach the treasure", "which cell of the 3x3 grid is 'treasure'?"),
        ("a labyrinth with a minotaur", "how many rows and columns"),
        ("A car is hot or cold. Rinse makes it cold. Goal: cold.", "(or `actions: ...`, where"),
        ("a 3x3 grid, treasure top right", "what does 'treasure top right' mean for the model?"),
        (
            "a drive; mood is sad or gay; paints a, b or c",
            "what are a, b, c: actions, observations or further states?",
        ),
    ],
)
def test_what_is_not_said_is_asked(said: str, asked: str) -> None:
    assert any(asked in question for question in questions_of(made(said))), questions_of(made(said))


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        (DOES.format("alarm"), "nothing", "Alarm does nothing."),
        (DOES.format("alarm"), "b", "Alarm leads to b."),
        ("with which probability does this happen: 'It rains'", "actions: rain, wait",
         "Actions: rain, wait."),
        ("what are a, b, c: actions, observations or further states?", "actions",
         "Actions: a, b, c."),
        (DOES.format("go_up"), "going up leads to b", "Going up leads to b."),
        (SHOWS, "90%", "Watch is right 90%."),
        (SHOWS, "it is 80% accurate", "It is 80% accurate."),
        ("which states can there be (for example `states: a, b, c`)?", "a, b", "States: a, b."),
        ("what can the agent do (for example `actions: a, b, c`)?", "c, d", "Actions: c, d."),
        ("what does the agent want, and what does it avoid?", "a", "Goal: a."),
        ("what does the agent want, and what does it avoid?", "it wants a", "It wants a."),
        ("which of pale, red is seen at flu, and how often?", "red 70%", "Flu looks red 70%."),
        ("how many rows and columns does the grid have?", "3x3", "3x3."),
    ],
)  # fmt: skip
def test_a_short_answer_becomes_a_clause(question: str, answer: str, said: str) -> None:
    assert with_answer("It sits.", question, answer) == f"It sits. {said}"


def test_what_was_not_understood_is_replaced_by_the_answer() -> None:
    asked = "which of open, closed is meant by 'wants it ajar'?"
    assert with_answer("It wants it ajar.", asked, "open") == "It wants open."
    asked = "which of open, closed is meant by 'never bites'?"
    assert with_answer("It never bites.", asked, "open") == "It avoids open."
    asked = "with which probability does this happen: 'rain wets it'?"
    assert with_answer("But rain wets it.", asked, "30% of the time") == (
        "But rain wets it 30% of the time."
    )
    asked = "what does 'It zorbles' mean for the model?"
    assert with_answer("A dog. It zorbles.", asked, "It sits") == "A dog. It sits."


def test_a_terminal_answers_the_questions_one_by_one(tmp_path: Path) -> None:
    fridge = (
        "A fridge with states: cold, warm, spoiled. It can cool, idle or alarm, and wants cold."
    )
    command = [sys.executable, "-m", "orchestrator", "generate", fridge, "--provider", "offline"]
    here, there = pty.openpty()
    out = tmp_path / "fridge.gmn"
    running = subprocess.Popen(
        [*command, "--ask", "-q", "-o", str(out)], stdin=there, stderr=subprocess.PIPE, text=True
    )
    os.close(there)
    os.write(here, b"it leads to cold\nnothing\n\x04")
    _, said = running.communicate(timeout=300)
    os.close(here)
    assert running.returncode == 0, said
    assert "[1 of 2] what does `cool` do: which of cold, warm, spoiled" in said
    assert "[2 of 2] what does `alarm` do" in said
    spec = validate(out.read_text()).spec
    assert spec is not None
    assert spec.actions[0].labels == ("cool", "idle", "alarm")
    assert "Cool leads to cold. Alarm does nothing." in spec.meta("prompt")


def test_questions_are_not_put_to_a_pipe(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("nothing\n"))
    assert main(["generate", VOLCANO, "--provider", "offline", "--ask"]) == 2
    assert "--ask puts questions to a terminal, and stdin is none" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said",
    [
        "Filling makes it full, except at night.",
        "Filling makes it full when the tap is open.",
        "Filling makes it full 120% of the time.",
        "Filling never makes it full.",
        "Filling makes it full, and it grows colder.",
    ],
)
def test_a_condition_or_a_number_that_is_not_read_is_not_lost(said: str) -> None:
    spec = made(f"A tank is empty or full. {said} Goal: full.")
    assert questions_of(spec)
    assert questions_of(made("A tank is empty or full. Filling makes it full. Goal: full.")) == ()


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("typed", ["", "\n\n\n", "\n"])
def test_questions_that_nobody_answers_end_as_without_them(
    typed: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    command = ["generate", f"\x1b[31m{VOLCANO}", "--provider", "offline", "--cache", "off", "-q"]
    assert main([*command, "--ask"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "[1 of 3] what does `watch` show, and how often is it right? " in said.err
    assert "GMN611" in said.err
    assert "\x1b[31mA" not in said.err


def test_answers_lead_to_further_questions_until_there_is_a_model(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "90%\nit leads to dormant\nit wants dormant\n"
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    command = ["generate", VOLCANO, "--provider", "offline", "--cache", "off", "-q", "--ask"]
    assert main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    verdict = validate(answer["text"])
    assert verdict.spec is not None
    assert verdict.spec.actions[0].labels == ("evacuate", "watch", "ignore")
    assert verdict.compiled is not None
    assert verdict.compiled.A[0].max(axis=0)[0, 1] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("states", "to"),
    [
        ("stocked, low or empty", "empty"),
        ("empty, low or stocked", "empty"),
        ("hot, mild or cold", "cold"),
        ("cold, mild or hot", "cold"),
        ("a, b or c", "a"),
    ],
)
def test_down_is_towards_the_label_that_means_it(states: str, to: str) -> None:
    said = f"A thing is {states}. Selling lowers it one step, waiting does nothing."
    spec = made(f"{said} Goal: {to}.")
    assert questions_of(spec) == ()
    compiled = validate(spec).compiled
    assert compiled is not None
    names = spec.states[0].names
    middle = 1
    assert compiled.B[0][names.index(to), middle, spec.actions[0].names.index("selling")] == 1
    assert ("up is from" in spec.meta("assumptions")) == (to == "a")


def test_which_way_is_up_is_asked_where_the_best_comes_first() -> None:
    said = (
        "A starter is lively, sluggish or flat. Feeding moves it up one step, waiting does nothing."
    )
    assert "is up from lively towards flat, or the other way?" in questions_of(
        made(f"{said} Goal: lively.")
    )
    assert questions_of(made(f"{said} Goal: flat.")) == ()


def test_a_cost_of_a_deed_in_a_state_is_not_that_of_the_state() -> None:
    said = "A pan is cold or hot. Actions: beep, wait. Beeping when the pan is cold costs 2."
    (wish,) = made(said).preferences
    assert [[c.values for c in one.when] for one in wish.rules] == [[("beep",), ("cold",)]]


def test_no_moves_are_made_up_beside_a_list_that_may_be_the_actions() -> None:
    spec = made("A drive; the mood is sad or gay; paints red, green or blue; wants gay.")
    assert spec.actions[0].labels == ("not_said",)


def test_directions_that_stand_alone_are_what_it_can_do() -> None:
    spec = made("A crane with 4 levels, up, down or stay, goal level 3, starts on level 1.")
    assert questions_of(spec) == ()
    assert spec.actions[0].labels == ("up", "down", "stay")


@pytest.mark.parametrize(
    ("place", "cell"),
    [("row 1, column 2", "r0c1"), ("row 3, column 3", "r2c2"), ("row 0, column 2", "r0c2")],
)
def test_rows_and_columns_in_words_are_all_counted_from_the_same_number(
    place: str, cell: str
) -> None:
    spec = made(f"a 3x3 grid from {place} to row 2, column 1, moves never slip")
    goal = "r2c1" if "0" in place else "r1c0"
    assert spec.description == f"Walks a 3x3 grid from {cell} to {goal}."
    assert ("counted from 1" in spec.meta("assumptions")) == ("0" not in place)


def test_a_refusal_names_the_words_that_were_not_understood(capsys: Output) -> None:
    said = f"{VOLCANO} The geologist hums."
    assert main(["generate", said, "--provider", "offline", "--cache", "off"]) == 1
    assert "not understood: volcano, geologist, hums" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said",
    ["where it starts was not said: r0c0", "a move that fails leaves it where it is"],
)
def test_what_a_grid_has_by_default_is_assumed_aloud(said: str) -> None:
    assert said in made("a 3x3 grid, goal r2c2").meta("assumptions")
    still = made("a 3x3 grid, start r1c1, goal r2c2, moves never slip")
    assert said not in still.meta("assumptions")


def test_a_curated_model_that_lacks_something_is_named_with_it() -> None:
    spec = made("T-maze, cue reliable 85%.")
    assert "the curated tmaze was not taken: 'reliable 85%'" in spec.meta("assumptions")


def test_no_slipping_is_asked_for_no_cell() -> None:
    spec = made("a 3x3 grid, start r0c0, goal r2c2, no slipping, perfect sensors")
    assert questions_of(spec) == ()
    assert spec.transitions[0].table.noise == 0


def test_no_moves_are_made_up_beside_quoted_names_that_are_no_states() -> None:
    said = 'Mood is low or high; "rest" moves it up one step; wants high.'
    assert made(said).actions[0].labels == ("not_said",)


def test_a_place_that_is_the_goal_or_is_avoided_elsewhere_is_not_asked_for() -> None:
    said = "a 6x6 grid, grass at (5,5), wolf at (2,2), goal (5,5), avoid (2,2)"
    assert questions_of(made(said)) == ()
