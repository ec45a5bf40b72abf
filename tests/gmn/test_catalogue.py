"""Every code has a specimen that raises it, and a valid document that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.gmn.codes import CATALOGUE, finding
from orchestrator.gmn.validate import validate
from orchestrator.types.diagnostics import Severity
from tests.support.documents import GOOD
from tests.support.specimens import ELSEWHERE, REPAIRED, SPECIMENS

ROOT = Path(__file__).parents[2]
NUMBERS = sorted(code.removeprefix("GMN") for code in CATALOGUE)


def test_every_code_has_a_specimen_or_a_test_of_its_own() -> None:
    assert {n for n in NUMBERS if n not in SPECIMENS} == set(ELSEWHERE)


@pytest.mark.parametrize(("number", "path"), sorted(ELSEWHERE.items()))
def test_a_code_without_specimen_is_named_by_the_test_that_provokes_it(
    number: str, path: str
) -> None:
    assert f"GMN{number}" in (ROOT / path).read_text()


@pytest.mark.parametrize("number", sorted(SPECIMENS))
def test_the_specimen_raises_its_code(number: str) -> None:
    report = validate(SPECIMENS[number], repair="none").report
    found = {d.code for d in (*report.diagnostics, *report.repairs)}
    assert f"GMN{number}" in found


def test_a_good_document_raises_nothing_and_is_not_touched() -> None:
    verdict = validate(GOOD)
    assert [d.code for d in verdict.report.diagnostics] == []
    assert verdict.report.repairs == ()
    assert verdict.report.runs is True


@pytest.mark.parametrize("number", REPAIRED)
def test_the_local_repair_leads_to_a_valid_document_and_is_reported(number: str) -> None:
    report = validate(SPECIMENS[number]).report
    assert [str(d) for d in report.errors] == []
    assert f"GMN{number}" in {d.code for d in report.repairs}


@pytest.mark.parametrize("number", REPAIRED)
def test_a_repaired_document_needs_no_second_repair(number: str) -> None:
    first = validate(SPECIMENS[number])
    assert first.spec is not None
    again = validate(first.spec)
    assert again.report.repairs == ()
    assert again.spec == first.spec


@pytest.mark.parametrize("number", sorted(SPECIMENS))
def test_findings_in_text_have_a_place_and_a_sentence(number: str) -> None:
    report = validate(SPECIMENS[number], repair="none").report
    for d in report.diagnostics:
        assert len(d.message) > 10
        if d.pointer:
            assert d.place is not None or number in ("801", "804", "805")


def test_severity_comes_from_the_catalogue_alone() -> None:
    assert finding("GMN201", "x").severity is Severity.ERROR
    with pytest.raises(KeyError):
        finding("GMN999", "x")


@pytest.mark.parametrize(("number", "mode"), [("204", "suggest"), ("407", "suggest")])
def test_a_suggested_repair_waits_for_the_caller_to_opt_in(number: str, mode: str) -> None:
    code = f"GMN{number}"
    assert code not in {d.code for d in validate(SPECIMENS[number]).report.repairs}
    opted = validate(SPECIMENS[number], repair=mode).report  # type: ignore[arg-type]  # a literal
    assert code in {d.code for d in opted.repairs}
