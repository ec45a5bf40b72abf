"""A model is what the sentence says, or the report says what is missing or contradicted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.generation.gmn_contract import GMNContract
from orchestrator.generation.request_building import load_library
from orchestrator.gmn.examples import Example
from orchestrator.gmn.request.fits import fits_of, misfits, with_fits
from orchestrator.gmn.validate import validate
from orchestrator.types.fits import Fits, Fitted
from orchestrator.types.requests import Description
from tests.support.twins import Detailed, detailed, is_caught, twins
from tests.support.wire import WireServer, configured, for_commands

Output = pytest.CaptureFixture[str]

GRID = """gmn 1.0
agent walker {}
node state pos { shape: [3, 3] }
node observation cell { shape: [3, 3] }
node action move { labels: [up, down, left, right] }
node emission A { from: [pos] to: cell identity noise: 0.1 noise_kind: others }
node transition B { from: [move, pos] to: pos grid
  moves: {up: [-1, 0], down: [1, 0], left: [0, -1], right: [0, 1]} }
node belief D { about: pos map: [r0c0] }
node preference C { on: cell goals: {r2c2: 4, r1c1: -6} }
node policy pi { horizon: 3 gamma: 8 }
end
"""


def fitted(sentence: str, text: str = GRID) -> list[Fitted]:
    verdict = validate(text)
    assert verdict.spec is not None, verdict.report.errors
    assert verdict.compiled is not None, verdict.report.errors
    return list(fits_of(sentence, verdict.spec, verdict.compiled).commitments)


@pytest.mark.parametrize(
    ("said", "kind", "outcome"),
    [
        ("It must reach r2c2", "goal", "fulfilled"),
        ("It must reach row 3, column 3", "goal", "fulfilled"),
        ("It must reach the bottom right corner", "goal", "fulfilled"),
        ("It must reach r0c2", "goal", "missing"),
        ("It must reach r1c1", "goal", "contradicted"),
        ("It must reach the harbour", "goal", "missing"),
        ("r1c1 is a trap", "avoid", "fulfilled"),
        ("It avoids the centre", "avoid", "fulfilled"),
        ("r2c2 is a trap", "avoid", "contradicted"),
        ("r0c2 is a trap", "avoid", "missing"),
        ("It starts at r0c0", "start", "fulfilled"),
        ("It starts at r2c0", "start", "contradicted"),
        ("a 3 by 3 grid", "size", "fulfilled"),
        ("a 3 by 4 grid", "size", "missing"),
        ("It is 90% accurate", "noise", "fulfilled"),
        ("It is 80% accurate", "noise", "missing"),
        ("without noise", "noise", "contradicted"),
        ("actions: up, down, left, right", "actions", "fulfilled"),
        ("actions: up, down, jump", "actions", "missing"),
        ("states: up, down, left", "states", "missing"),
        ("It plans 3 steps ahead", "horizon", "fulfilled"),
        ("It plans 2 steps ahead", "horizon", "missing"),
        ("a fall costs 6", "utility", "fulfilled"),
        ("a fall costs 7", "utility", "missing"),
        ("no wind", "absent", "fulfilled"),
        ("with four moves: up, down, left, right", "count", "fulfilled"),
        ("with seven doors", "count", "missing"),
    ],
)
def test_each_commitment_is_held_against_the_compiled_model(
    said: str, kind: str, outcome: str
) -> None:
    (one,) = (one for one in fitted(said) if one.kind == kind)
    assert one.outcome == outcome, one.where
    assert one.where
    assert said[one.start : one.end] == one.said


def test_utilities_in_the_proportions_that_were_said_are_fulfilled() -> None:
    said = "The goal is worth 12, a fall costs 18."
    assert [one.outcome for one in fitted(said)] == ["fulfilled", "fulfilled"]
    assert [one.outcome for one in fitted("The goal is worth 12, a fall costs 17.")] == [
        "missing",
        "missing",
    ]


def test_an_action_that_goes_the_other_way_is_not_what_its_name_says() -> None:
    wrong = GRID.replace("up: [-1, 0], down: [1, 0]", "up: [1, 0], down: [-1, 0]")
    (one,) = fitted("actions: up, down, left, right", wrong)
    assert one.outcome == "missing"
    assert one.where == "up goes the other way along pos"


#: The way around two traps is as short as the one through them.
TRAPS = GRID.replace("r1c1: -6", "r0c1: -6, r1c1: -6").replace("horizon: 3", "horizon: 4")


def test_a_cautious_agent_meets_what_hurts_less_often_than_its_bold_twin() -> None:
    (one,) = fitted("a cautious walker", TRAPS)
    assert one.outcome == "fulfilled", one.where
    assert "by a bold twin" in one.where


def test_a_bold_agent_is_not_cautious() -> None:
    # There is no other way.
    text = TRAPS.replace("r0c1: -6, r1c1: -6", "r0c1: -1, r1c0: -1")
    (bold,) = fitted("a cautious walker", text)
    assert bold.outcome == "missing"
    assert "what hurts is met" in bold.where


def test_words_of_the_user_that_the_model_has_are_understood() -> None:
    verdict = validate(GRID)
    assert verdict.spec is not None
    assert verdict.compiled is not None
    fits = fits_of("a purple walker that zorbles", verdict.spec, verdict.compiled)
    assert fits.not_understood == ("purple", "zorbles")


def test_findings_say_where_in_the_sentence_and_below_the_share_there_is_an_error() -> None:
    one = Fitted("goal", "r0c2", "reach r0c2", 8, 18, "missing", "nothing")
    other = Fitted("avoid", "r2c2", "r2c2 is a trap", 20, 34, "contradicted", "preferred")
    found = misfits(Fits((one, other)), least=0.5)
    assert [(d.code, str(d.severity)) for d in found] == [
        ("GMN608", "warning"),
        ("GMN609", "error"),
        ("GMN610", "error"),
    ]
    assert found[0].context == "request: characters 8 to 18"
    assert misfits(Fits((one,)), least=0.0)[0].code == "GMN608"
    assert misfits(Fits(), least=1.0) == []


@pytest.mark.parametrize("one", detailed(), ids=lambda one: one.name)
def test_a_curated_model_fulfils_all_of_a_detailed_sentence_about_it(one: Detailed) -> None:
    verdict = validate(one.spec)
    assert verdict.compiled is not None
    assert fits_of(one.sentence, one.spec, verdict.compiled).unmet == ()


def test_nine_of_ten_wrong_twins_are_noticed() -> None:
    caught = [is_caught(one.sentence, twin) for one in detailed() for _, twin in twins(one.spec)]
    assert len(caught) >= 110
    assert sum(caught) >= 0.9 * len(caught)


TRAPPED = "A walker on a 3x3 grid must reach r1c1; r2c2 is a trap; seven doors."


def test_a_language_model_is_told_what_contradicts_the_sentence() -> None:
    contract = GMNContract(asked=Description(TRAPPED))
    made = contract.evaluate(GRID)
    assert not made.is_accepted
    said = contract.explain(made)
    assert "GMN609 error: the request says 'must reach r1c1' (goal r1c1)" not in said
    assert "GMN609 error: the request says 'reach r1c1' (goal r1c1)" in said
    assert "GMN608 warning: the request says 'seven doors'" in said


@pytest.mark.parametrize(
    ("settings", "is_accepted"),
    [
        ({}, True),
        ({"is_embedded": True}, False),
        ({"is_embedded": True, "fits_share": 0.2}, True),
        ({"fits": "error"}, False),
        ({"fits": "error", "fits_share": 0.2}, True),
        ({"fits": "off", "is_embedded": True}, True),
    ],
)
def test_too_little_is_an_error_as_configured(
    settings: dict[str, object], is_accepted: bool
) -> None:
    asked = Description("It must reach r2c2, with seven doors and nine windows.")
    made = GMNContract(asked=asked, **settings).evaluate(GRID)  # type: ignore[arg-type]
    assert made.is_accepted is is_accepted
    assert (made.report.fits is None) == (settings.get("fits") == "off")


def test_the_command_says_what_fits_and_what_is_missing(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    for_commands(configured(wire.base, "m", generation={"mode": "prompt"}), tmp_path, monkeypatch)
    wire.plan("m", GRID)
    assert main(["generate", "It must reach r2c2, a walker with seven doors", "--json"]) == 0
    printed = capsys.readouterr()
    fits = json.loads(printed.out)["report"]["fits"]
    assert (fits["fulfilled"], fits["of"]) == (1, 2)
    assert "fits:     1 of 2" in printed.err
    assert "  missing: count 7 door ('seven doors'): no variable has 7 values" in printed.err


def test_the_embedded_provider_refuses_what_it_does_not_build(
    tmp_path: Path, capsys: Output
) -> None:
    out = tmp_path / "model.gmn"
    sentence = "A volcano is dormant, restless or erupting. Evacuate, watch or ignore."
    assert main(["generate", sentence, "--provider", "offline", "-o", str(out)]) == 1
    assert "still to be said: what does `watch` show" in capsys.readouterr().err
    assert (tmp_path / "model.gmn.rejected").exists()


def test_an_accepted_run_from_the_cache_says_the_same(capsys: Output) -> None:
    said = []
    for _ in range(2):
        command = [
            "generate",
            "a walker on a 3x3 grid, without wind, in nine steps ahead",
            "--json",
        ]
        assert main([*command, "--provider", "offline"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    first, again = said
    assert (first["cached"], again["cached"]) == (False, True)
    assert first["report"]["fits"] == again["report"]["fits"]
    assert first["report"]["fits"]["of"] == 3


def test_a_document_is_held_against_a_sentence_on_demand(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "walker.gmn"
    path.write_text(GRID)
    assert main(["validate", str(path), "--request", "reach r2c2 with seven doors"]) == 0
    assert "valid, runs, fits 1 of 2" in capsys.readouterr().out
    assert main(["validate", str(path), "--request", "r2c2 is a trap"]) == 1
    assert "GMN609 error" in capsys.readouterr().out


@pytest.mark.parametrize("example", load_library(), ids=lambda example: example.name)
def test_the_model_of_a_curated_sentence_fits_all_that_it_says(example: Example) -> None:
    verdict = validate(example.spec)
    assert verdict.compiled is not None
    assert fits_of(example.prompt, example.spec, verdict.compiled).unmet == ()


def test_a_sentence_of_very_many_commitments_is_left_out_or_listed_in_part() -> None:
    verdict = validate(GRID)
    assert verdict.spec is not None
    assert verdict.compiled is not None
    many = " ".join(f"goal: foo{number}x." for number in range(400))
    report = with_fits(verdict.report, many, verdict.spec, verdict.compiled)
    assert report.fits is not None
    assert report.fits.of == 400
    assert len(report.diagnostics) < 300
    assert report.diagnostics[-1].code == "GMN713"
    wide = validate(GRID.replace("shape: [3, 3]", "shape: [20, 20]"))
    assert wide.spec is not None
    assert wide.compiled is not None
    more = " ".join(f"goal: foo{number}x." for number in range(900))
    left_out = with_fits(wide.report, more, wide.spec, wide.compiled)
    assert left_out.fits is None
    assert left_out.diagnostics[-1].code == "GMN515"


GATE = """gmn 1.0
agent porter {}
node state gate { labels: [shut, opened] }
node observation seen { labels: [shut, opened] }
node action act { labels: [push, wait] }
node emission A { from: [gate] to: seen identity }
node transition B { from: [act, gate] to: gate rules: [{when: {act: push}, then: {opened: 1}},
  {when: {act: wait}, then: {@stay: 1}}] }
node belief D { about: gate rows: [[0.7, 0.3]] }
node preference C { on: gate goals: {opened: 3} }
node policy pi { horizon: 2 gamma: 8 }
end
"""


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("A gate is opened (30%) or shut (70%).", "fulfilled"),  # whatever the order of the labels
        ("A gate is shut or opened, prior 0.7 and 0.3.", "fulfilled"),
        ("A gate is opened (70%) or shut (30%).", "contradicted"),
        ("A gate is opened or shut, prior 0.7 and 0.3.", "contradicted"),
        ("A gate is ajar (70%) or closed (30%).", "fulfilled"),  # other names: its shares are there
        ("A gate is ajar (60%), shut (20%) or stuck (20%).", "missing"),
    ],
)
def test_a_prior_is_of_the_labels_that_it_is_said_of(said: str, outcome: str) -> None:
    (found,) = (one for one in fitted(said, GATE) if one.kind == "prior")
    assert found.outcome == outcome
