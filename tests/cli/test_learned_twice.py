"""`refine --data` with one log after another: what the document keeps of them, and what not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator import Agent
from orchestrator.cli.main import main
from orchestrator.gmn.acting.simulate import run
from orchestrator.gmn.acting.world import World
from orchestrator.gmn.validate import validate
from tests.cli.test_learned import Output, written

BUTTON = """gmn 1.0
agent button { type: general }
node state lamp { labels: [off, on] }
node observation light { labels: [off, on] }
node action press { labels: [no, yes] }
node emission A { from: [lamp] to: light identity }
node transition B { from: [press] to: lamp rows: [[0.5, 0.5], [0.5, 0.5]] MARK }
node policy pi { horizon: 1 }
end
"""
MARKED = "learn: true concentration: 2"


def button(tmp_path: Path, mark: str = MARKED) -> str:
    return written(tmp_path, BUTTON.replace("MARK", mark), "m.gmn")


def log(tmp_path: Path, name: str, *runs: tuple[str, str, int]) -> str:
    """A log in which `press` led to `light`, so many times."""
    rows = [f"{press}\n{light}," for press, light, many in runs for _ in range(many)]
    return written(tmp_path, "light,press\noff," + "".join(rows) + "\n", name)


def refined(capsys: Output, tmp_path: Path, document: str, data: str, *more: str) -> dict[str, Any]:
    assert main(["refine", document, "--data", data, "--json", "-q", *more]) == 0
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    (tmp_path / "next.gmn").write_text(value["text"])
    return value


def rows_of(text: str) -> tuple[Any, float]:
    verdict = validate(text, run_steps=0)
    assert verdict.spec is not None, verdict.report
    assert "GMN219" not in {d.code for d in verdict.report.diagnostics}
    (table,) = verdict.spec.transitions
    return np.array(table.table.rows), table.concentration


def test_two_logs_one_after_the_other_teach_what_both_together_do(
    tmp_path: Path, capsys: Output
) -> None:
    first = ("no", "off", 3000), ("yes", "on", 3000)
    then = ("no", "on", 4), ("yes", "off", 4)
    a, b = log(tmp_path, "a.csv", *first), log(tmp_path, "b.csv", *then)
    both = log(tmp_path, "ab.csv", *first, *then)
    refined(capsys, tmp_path, button(tmp_path), a)
    apart = refined(capsys, tmp_path, str(tmp_path / "next.gmn"), b)
    together = refined(capsys, tmp_path, button(tmp_path), both)
    (rows, worth), (expected, whole) = rows_of(apart["text"]), rows_of(together["text"])
    assert rows == pytest.approx(expected, abs=2e-6)
    assert worth == whole == 2 + 3004
    assert (
        "transition of lamp from a.csv: 6,001 steps; transition of lamp from b.csv: 9 "
        in (apart["text"])
    )
    path = written(tmp_path, apart["text"], "ab.gmn")
    assert main(["explain", path]) == 0
    assert "counts as 3006 observations in each situation" in capsys.readouterr().out


def test_rows_that_rest_on_different_numbers_share_one_and_the_report_says_so(
    tmp_path: Path, capsys: Output
) -> None:
    data = log(tmp_path, "a.csv", ("yes", "on", 198))
    value = refined(capsys, tmp_path, button(tmp_path), data)
    assert rows_of(value["text"])[1] == 20  # the geometric mean of 2 and 200
    (weight,) = value["concentrations"]
    assert [weight[key] for key in ("least", "most", "after")] == pytest.approx([2, 200, 20])
    said = "its rows are worth 2 to 200 observations, and one concentration stands for all: 20"
    assert f"transition of lamp from a.csv: 199 steps (transition of lamp: {said})" in value["text"]
    assert main(["refine", button(tmp_path), "--data", data]) == 0
    assert f"warning: transition of lamp: {said}" in capsys.readouterr().err


def test_what_a_table_that_is_not_marked_rests_on_is_not_kept_and_the_report_says_so(
    tmp_path: Path, capsys: Output
) -> None:
    data = log(tmp_path, "a.csv", ("no", "off", 99), ("yes", "on", 99))
    document = button(tmp_path, "")
    value = refined(capsys, tmp_path, document, data, "--learn", "lamp")
    assert rows_of(value["text"])[1] == 1
    assert main(["refine", document, "--data", data, "--learn", "lamp"]) == 0
    said = capsys.readouterr().err
    assert "warning: transition of lamp: its rows are now worth 100 observations, which is" in said
    assert "not marked learn: true" in said


def test_a_log_that_says_what_the_table_says_makes_it_worth_more(
    tmp_path: Path, capsys: Output
) -> None:
    even = [(press, light, 1) for press in ("no", "yes") for light in ("off", "on")] * 10
    value = refined(capsys, tmp_path, button(tmp_path), log(tmp_path, "a.csv", *even))
    rows, worth = rows_of(value["text"])
    assert rows == pytest.approx(np.full((2, 2), 0.5))
    assert worth == 22


def test_an_agent_keeps_what_it_learned_and_a_new_one_repeats_a_run(tmp_path: Path) -> None:
    text = Path(button(tmp_path)).read_text()
    verdict = validate(text, run_steps=0)
    assert verdict.compiled is not None
    agent, other = Agent(text), World(verdict.compiled)
    expected = []
    for one in (agent, agent, Agent(text)):
        run(one, other, 6, seed=3)
        expected.append(one.beliefs)
    assert expected[0] == expected[2] != expected[1]


def test_one_of_a_thing_is_said_in_the_singular(tmp_path: Path, capsys: Output) -> None:
    data = log(tmp_path, "a.csv", ("yes", "on", 1))
    assert main(["refine", button(tmp_path), "--data", data]) == 0
    said = capsys.readouterr().err
    assert "2 steps in 1 episode\n" in said
    assert "transition of lamp: 1 observation in 2 rows" in said
    assert main(["refine", button(tmp_path), "--data", log(tmp_path, "b.csv")]) == 0
    printed = capsys.readouterr()
    assert "1 step in 1 episode\n" in printed.err
    assert "transition of lamp: 0 observations in 2 rows" in printed.err
    assert main(["explain", button(tmp_path, "learn: true")]) == 0
    assert "counts as 1 observation in each situation" in capsys.readouterr().out
    data = written(tmp_path, "light,press\noff\n")
    assert main(["refine", button(tmp_path), "--data", data]) == 2
    assert "line 2: 1 cell, the header has 2" in capsys.readouterr().err
