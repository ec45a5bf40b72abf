"""What arrays of a model say beside pymdp's arguments comes back with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orchestrator.cli.main import main
from orchestrator.gmn.imports.forms import write_arrays
from orchestrator.gmn.validate import validate

TIGER = """gmn 1.0
agent tiger {}
node state tiger { labels: [left, right] }
node state room { labels: [in, out] terminal: [out] }
node observation hear { labels: [left, right] }
node action act { labels: [listen, open_left, open_right] }
node emission A { from: [tiger] to: hear identity noise: 15% noise_kind: others
  learn: true concentration: 20 }
node transition B1 { from: [tiger] to: tiger identity }
node transition B2 { from: [act, room] to: room rules: [
  {when: {act: listen}, then: {@stay: 1}}, {then: {out: 1}} ] }
node belief D1 { about: tiger uniform }
node belief D2 { about: room map: [in] }
node preference payoff { on: [tiger, act] rules: [
  {when: {act: listen}, utility: -0.1},
  {when: {tiger: left, act: open_left}, utility: -10},
  {when: {tiger: right, act: open_right}, utility: -10},
  {utility: 1},
] }
node policy pi { horizon: 3 discount: 0.95 selection: contingent }
end
"""


def arrays() -> dict[str, object]:
    spec = validate(TIGER).spec
    assert spec is not None
    read: dict[str, object] = json.loads(write_arrays(spec))
    return read


def test_ends_payoffs_and_learning_come_back() -> None:
    first, again = validate(TIGER), validate(arrays())
    assert again.report.is_valid
    assert {d.code for d in again.report.repairs} == {"GMN804"}
    assert first.compiled is not None
    assert again.compiled is not None
    for ours, theirs in zip(first.compiled.terminal, again.compiled.terminal, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    (paid,), (pays,) = first.compiled.action_utilities, again.compiled.action_utilities
    assert (paid.states, paid.actions) == (pays.states, pays.actions)
    np.testing.assert_array_equal(paid.table, pays.table)
    assert again.compiled.learned == first.compiled.learned


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("terminal", 5),
        ("terminal", [[True, False]]),
        ("terminal", [[1, 0], [0, 1]]),
        ("action_utilities", [{"states": [0]}]),
        ("action_utilities", [{"states": [0], "actions": [0], "table": [[1, 2]]}]),
        ("action_utilities", [{"states": [7], "actions": [0.0], "table": [[1]]}]),
        ("learned", [{"kind": "A", "index": 9}]),
        ("learned", ["A"]),
    ],
)
def test_what_is_not_understood_is_named_and_the_rest_is_read(key: str, said: object) -> None:
    report = validate({**arrays(), key: said}).report
    assert report.is_valid
    assert [d.message.split(":")[0] for d in report.repairs if d.code == "GMN803"] == [
        f"{key!r} ignored"
    ]


def test_a_size_that_is_too_large_costs_nothing() -> None:
    report = validate({**arrays(), "num_states": [2**30, 2], "labels": None}).report
    assert "GMN701" in {d.code for d in report.errors}


def test_more_arrays_than_are_read_are_counted_as_many_as_they_are() -> None:
    document = {"A": [[[0.9, 0.1], [0.1, 0.9]]] * 70, "B": [[[1, 0], [0, 1]]]}
    (error,) = validate(document).report.errors
    assert (error.code, error.message) == ("GMN708", "A is a list of 70 arrays, more than 64")


@pytest.mark.parametrize("form", ["gmn", "json", "gnn", "pymdp"])
def test_arrays_in_a_file_are_written_in_any_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    path = tmp_path / "agent.json"
    path.write_text(json.dumps({"A": [[[0.9, 0.2], [0.1, 0.8]]], "B": [[[1, 0], [0, 1]]]}))
    assert main(["format", str(path), "--to", form]) == 0
    written = capsys.readouterr().out
    assert validate(written).report.is_valid


COUNTED = {"A": [[[0.9, 0.2], [0.1, 0.8]]], "B": [[[1, 0], [0, 1]]], "D": [[0.5, 0.5]]}


def test_counts_that_are_an_array_times_a_number_are_learned() -> None:
    counts = {"pA": [[[9, 2], [1, 8]]], "pD": [[2, 2]]}
    verdict = validate({**COUNTED, **counts})
    assert verdict.compiled is not None
    learned = [(one.kind, one.concentration) for one in verdict.compiled.learned]
    assert learned == [("A", 10.0), ("D", 4.0)]
    assert "GMN803" not in {d.code for d in verdict.report.repairs}


@pytest.mark.parametrize("counts", [[[[9, 2], [1, 9]]], [[[9, 2]]], [], 5, [[["a"]]]])
def test_other_counts_are_named(counts: object) -> None:
    report = validate({**COUNTED, "pA": counts}).report
    said = [d.message for d in report.repairs if d.code == "GMN803"]
    assert said == ["'pA' ignored: only A times one number for each table can be read"]
