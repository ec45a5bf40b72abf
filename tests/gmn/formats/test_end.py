"""A document in block text shows its end, and what stands behind it is not part of it."""

from __future__ import annotations

import pytest

from orchestrator.gmn.formats import comments_of, read, write_text
from orchestrator.gmn.validate import validate
from tests.support.documents import GOOD, swapped

SPEC = validate(GOOD).spec
assert SPEC is not None
WRITTEN = write_text(SPEC)


def test_the_writer_closes_a_document_with_the_line_end() -> None:
    assert WRITTEN.endswith("}\nend\n")
    assert read(WRITTEN).is_whole


@pytest.mark.parametrize("end", ["end", "END", "  end", "end.", "end;", "end\n\n# a comment"])
def test_an_end_is_read_in_any_spelling_without_a_word(end: str) -> None:
    reading = read(f"{GOOD}{end}\n")
    assert reading.is_whole
    assert (reading.findings, reading.repairs) == ((), ())


def test_a_document_of_a_person_needs_no_end() -> None:
    verdict = validate(GOOD)
    assert verdict.report.is_accepted
    assert (verdict.is_whole, verdict.missing) == (False, ())


@pytest.mark.parametrize("prose", ['Enjoy it\'s "new" {x: y}!', "agent walks to the right."])
def test_prose_behind_the_end_is_removed_and_reported(prose: str) -> None:
    verdict = validate(f"{GOOD}end\n{prose}\n")
    assert verdict.report.is_accepted
    assert {d.code for d in verdict.report.repairs} == {"GMN012"}


def test_a_node_behind_the_end_is_a_finding_with_its_place() -> None:
    report = validate(f"{GOOD}end\n\nnode state late {{ size: 2 }}\n").report
    assert [(d.code, d.place.line if d.place else 0) for d in report.errors] == [("GMN016", 13)]


def test_a_label_called_end_ends_nothing() -> None:
    text = swapped(
        "node policy pi", "node state way { labels: [\n  start,\n  end\n] }\nnode policy pi"
    )
    reading = read(text)
    assert (reading.findings, reading.is_whole) == ((), False)
    assert reading.tree is not None
    assert "policy" in reading.tree


def test_a_broken_last_statement_does_not_hide_the_end() -> None:
    text = f"{swapped('node policy pi {', 'node policy {')}end\n"
    assert read(text).is_whole


def test_a_fence_that_is_closed_shows_the_end_and_an_open_one_does_not() -> None:
    assert read(f"```gmn\n{GOOD}```\n").is_whole
    assert not read(f"```gmn\n{GOOD}").is_whole


def test_json_is_whole_when_it_closes_by_itself() -> None:
    assert read('{"states": [{"name": "s", "size": 2}]}').is_whole
    assert not read('{"states": [{"name": "s", "size": 2}]').is_whole


def test_comments_around_the_end_stay_above_it() -> None:
    text = WRITTEN.removesuffix("end\n") + "# nearly done\nend # done\n# after\n"
    made = write_text(SPEC, comments_of(read(text).places))  # type: ignore[arg-type]
    assert made.endswith("}\n# nearly done\n# done\n# after\nend\n")
    assert write_text(SPEC, comments_of(read(made).places)) == made  # type: ignore[arg-type]
