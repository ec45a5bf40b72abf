"""Two models side by side, in terms of what they say; an exit code for a pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.differences import differences
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, SHARED, plus, swapped

LIBRARY = Path(__file__).parents[2] / "prompts" / "library"
Output = pytest.CaptureFixture[str]
EMISSION = "rows: [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]"

CHANGES = {
    "a preference": (
        swapped("values: [0, 1, 3]", "values: [0, 1, 4]"),
        ["preference of place=c: 3 to 4"],
    ),
    "a row": (
        swapped("[0.1, 0.1, 0.8]] }", "[0.1, 0.2, 0.7]] }"),
        ["likelihood of place changed for pos=c", "  pos=c: b 0.1 to 0.2, c 0.8 to 0.7"],
    ),
    "what an action does": (
        swapped("stay: [0]", "stay: [1]"),
        [
            "transition of pos changed for pos=a|b, go=stay",
            "  pos=a, go=stay: a 1 to 0, b 0 to 1",
            "  pos=b, go=stay: b 1 to 0, c 0 to 1",
        ],
    ),
    "a prior": (
        swapped("[[0.5, 0.3, 0.2]]", "[[0.5, 0.2, 0.3]]"),
        ["prior of pos changed", "  at the start: b 0.3 to 0.2, c 0.2 to 0.3"],
    ),
    "the policy": (swapped("gamma: 8", "gamma: 4"), ["policy: gamma 8.0 to 4.0"]),
    "a discount": (swapped("gamma: 8", "gamma: 8 discount: 0.5"), ["policy: discount 1.0 to 0.5"]),
    "a factor": (
        plus("node state mood { labels: [calm, cross] }"),
        ["state factor mood added: calm, cross"],
    ),
    "an end": (
        swapped("node state pos {", "node state pos { terminal: [c]"),
        ["pos=c ends the episode"],
    ),
    "a name": (
        GOOD.replace("place", "spot"),
        ["observation place removed", "observation spot added: a, b, c"],
    ),
    "a utility on both": (
        plus(
            "node preference both { on: [pos, go] rules: [{when: {pos: a, go: left}, utility: 1}] }"
        ),
        ["utility of pos and go together added"],
    ),
}


def compiled(text: str) -> Compiled:
    made = validate(text, run_steps=0)
    assert made.compiled is not None, made.report.errors
    return made.compiled


@pytest.mark.parametrize(("after", "wanted"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_said_in_terms_of_the_model(after: str, wanted: list[str]) -> None:
    said = [*differences(compiled(GOOD), compiled(after))]
    assert [line for line in said if line in wanted] == wanted
    if len(wanted) == 1 or wanted[1].startswith(" "):
        assert len([line for line in said if not line.startswith(" ")]) == 1 or "factor" in said[0]
    back = [*differences(compiled(after), compiled(GOOD))]
    assert len(back) >= len([line for line in wanted if not line.startswith(" ")])


@pytest.mark.parametrize("name", sorted(path.stem for path in LIBRARY.glob("*.gmn")))
def test_a_model_is_the_same_in_every_spelling(name: str, tmp_path: Path, capsys: Output) -> None:
    path = str(LIBRARY / f"{name}.gmn")
    other = tmp_path / "other.json"
    assert main(["format", path, "--to", "json"]) == 0
    other.write_text(capsys.readouterr().out)
    assert main(["diff", path, str(other)]) == 0
    assert capsys.readouterr().out == "the same model\n"


def test_parents_are_named_and_compared_over_those_of_both() -> None:
    before = plus("node state mood { labels: [calm, cross] }")
    rows = "[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]"
    after = swapped(EMISSION, f"rows: [{rows}, [0.1, 0.2, 0.7]]", before).replace(
        "from: [pos] to: place", "from: [pos, mood] to: place"
    )
    assert [*differences(compiled(before), compiled(after))] == [
        "likelihood of place depends on mood too",
        "likelihood of place changed for pos=c, mood=cross",
        "  pos=c, mood=cross: b 0.1 to 0.2, c 0.8 to 0.7",
    ]
    back = [*differences(compiled(after), compiled(before))]
    assert back[0] == "likelihood of place does not depend on mood any more"


def test_the_exit_code_says_whether_they_differ(tmp_path: Path, capsys: Output) -> None:
    one, other, bad = (tmp_path / name for name in ("one.gmn", "other.gmn", "bad.gmn"))
    one.write_text(GOOD)
    other.write_text(swapped("values: [0, 1, 3]", "values: [3, 1, 0]"))
    bad.write_text("node state s {}")
    assert main(["diff", str(one), str(one)]) == 0
    assert main(["diff", str(one), str(bad)]) == 2
    assert "GMN102" in capsys.readouterr().err
    assert main(["diff", str(one), str(other)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("over the same observations: step 1: does go=")
    assert main(["diff", "--json", str(one), str(other)]) == 1
    value = json.loads(capsys.readouterr().out)
    assert value["same"] is False
    assert value["differences"][0] == "preference of place=a: 0 to 3"
    assert value["behaviour"].startswith("step 1: does go=")


def test_models_of_other_variables_are_not_acted_out(tmp_path: Path, capsys: Output) -> None:
    one, other = tmp_path / "one.gmn", tmp_path / "other.gmn"
    one.write_text(GOOD)
    other.write_text(SHARED)
    assert main(["diff", str(one), str(other)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == (
        "over the same observations: the states differ, so that episodes cannot be compared"
    )
