"""How a result and a report present themselves."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator import Diagnostic, Generation, Report, Severity, Usage

WRONG = Diagnostic("GMN201", Severity.ERROR, "the row sums to 0.9")
NOTED = Diagnostic("GMN804", Severity.INFO, "read over")


def generation(text: str = '{"size": 4}', **more: object) -> Generation[dict[str, int]]:
    given = {"cost_usd": 0.0012, "cached": False, "report": Report(runs=True), **more}
    return Generation({"size": 4}, text, attempts=(), usage=Usage(800, 12), **given)  # type: ignore[arg-type]


def test_the_repr_of_a_result_is_one_line_however_long_it_is() -> None:
    shown = repr(generation("x" * 100_000))
    assert "\n" not in shown
    assert len(shown) < 200
    assert "valid, runs: yes" in shown
    assert "812 tokens" in shown
    assert "0.0012 USD" in shown


def test_a_price_that_is_not_known_is_not_shown_as_nothing() -> None:
    assert "price not known" in repr(generation(cost_usd=None))
    assert "from the cache" in repr(generation(cached=True))


def test_a_notebook_shows_text_and_findings_and_no_text_closes_the_block() -> None:
    report = Report((WRONG,), (NOTED,))
    shown = generation("a ```` b", report=report)._repr_markdown_()
    assert shown.startswith("`````\na ```` b\n`````\n")
    assert "not valid" in shown
    assert f"- {WRONG}\n- {NOTED}" in shown


def test_data_and_files_hold_the_value(tmp_path: Path) -> None:
    made = generation()
    assert json.loads(json.dumps(made.as_dict()))["spec"] == {"size": 4}
    assert made.save(tmp_path / "door.json").read_text() == '{\n  "size": 4\n}\n'
    assert made.save(str(tmp_path / "door.txt")).read_text() == '{"size": 4}\n'


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        generation().save(tmp_path)


def test_a_report_is_its_two_parts_also_after_copies() -> None:
    report = Report((WRONG, NOTED), behaves=False)
    is_valid, errors = report
    assert (is_valid, errors) == (False, (WRONG,))
    read = TypeAdapter(Report)
    again = read.validate_python(read.dump_python(report, mode="json"))
    copies = (copy.copy(report), copy.deepcopy(report), pickle.loads(pickle.dumps(report)), again)
    for same in copies:
        assert same == report
        assert tuple(same) == (False, (WRONG,))
    assert report != Report((WRONG,), behaves=False)
    assert tuple(dataclasses.replace(report, diagnostics=(NOTED,))) == (True, ())
    assert report  # an invalid one too: `if report` asks whether there is one
