"""Every code has a specimen that raises it, and a valid document that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.gmn.codes import CATALOGUE, REPAIR_GROUPS, finding
from orchestrator.gmn.validate import validate
from orchestrator.types.diagnostics import Fix, Severity
from tests.support.documents import GOOD, swapped
from tests.support.specimens import ELSEWHERE, REPAIRED, ROWS, SPECIMENS

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


#: Within the narrow band of a repair, where the specimen of its code lies outside of it.
IN_BAND = {
    "202": swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[0.9, 0.1, -1e-12], [0.1, 0.8"),
    "402": swapped("values: [0, 1, 3]", "values: [0, 1]"),
    "404": swapped(ROWS, "identity").replace("on: place", "on: pos"),
    "710": swapped("node state pos {", f'node state pos {{ description: "{"x" * 5000}"'),
}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_code_is_repaired_when_and_only_when_the_catalogue_has_a_group_for_it(
    number: str,
) -> None:
    code = f"GMN{number}"
    source = IN_BAND.get(number, SPECIMENS.get(number))
    if source is None:
        assert CATALOGUE[code].group == 0
        return
    fixed = {d.code for d in validate(source, repair="none").report.diagnostics if d.fix}
    assert (code in fixed) == (CATALOGUE[code].group > 0)
    assert all(CATALOGUE[other].group for other in fixed)
    if CATALOGUE[code].group:
        assert code in {d.code for d in validate(source, repair="suggest").report.repairs}


def test_groups_of_repairs_are_numbered_without_a_gap() -> None:
    assert {c.group for c in CATALOGUE.values()} == set(range(len(REPAIR_GROUPS) + 1))


def test_a_fix_that_nothing_would_apply_is_refused() -> None:
    with pytest.raises(ValueError, match="GMN503 has a fix"):
        finding("GMN503", "x", fix=Fix("safe", "plan further"))


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
