"""Labels are the same where Unicode says so; two that only look the same are a finding."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cli.main import main
from orchestrator.gmn.acting.expectations import Expectation, check_names
from orchestrator.gmn.formats import write_text
from orchestrator.gmn.model import GMNSpec, Variable
from orchestrator.gmn.request.inferred import inferred_from
from orchestrator.gmn.rules import labels_matching
from orchestrator.gmn.validate import Validation, validate
from tests.support.documents import GOOD, swapped
from tests.support.examples import share_of

COMPOSED, APART = "caf\u00e9", "cafe\u0301"


def states(*labels: str) -> dict[str, object]:
    """A valid document whose state has these labels."""
    spec = validate(GOOD).spec
    assert spec is not None
    tree = spec.to_json()
    tree["states"] = [{"name": "pos", "labels": list(labels)}]
    return tree


def codes(verdict: Validation) -> list[str]:
    return [d.code for d in verdict.report.diagnostics]


def test_labels_that_unicode_says_are_one_are_listed_twice() -> None:
    for document in (states(COMPOSED, APART, "c"), json.dumps(states(COMPOSED, APART, "c"))):
        assert "GMN116" in codes(validate(document))


@pytest.mark.parametrize(("declared", "used"), [(COMPOSED, APART), (APART, COMPOSED)])
@pytest.mark.parametrize("quote", ['"', ""])
def test_a_reference_finds_its_label_however_it_is_composed(
    declared: str, used: str, quote: str
) -> None:
    text = swapped(
        "pos { labels: [a, b, c] }", f"pos {{ labels: [{quote}{declared}{quote}, b, c] }}"
    )
    text = swapped("rows: [[0.5, 0.3, 0.2]]", f"map: [{quote}{used}{quote}]", text)
    text = swapped("values: [0, 1, 3]", f"goals: {{{quote}{used}{quote}: 2}}", text).replace(
        "on: place", "on: pos"
    )
    verdict = validate(text)
    assert [str(d) for d in verdict.report.errors] == []
    assert verdict.spec is not None
    assert verdict.spec.states[0].labels[0] == verdict.spec.priors[0].table.map[0] == COMPOSED
    assert COMPOSED in write_text(verdict.spec)


def test_every_door_to_a_label_composes_it() -> None:
    spec = GMNSpec.model_validate(states(APART, "b", "c"))
    assert spec.states[0].labels[0] == COMPOSED
    assert labels_matching(APART, spec.states[0]) == [0]
    assert labels_matching(f"{APART[:-1]}*", Variable(name="x", labels=("cafex",))) == [0]
    assert check_names(Expectation.parse(f"pos={APART} within 2"), spec) == []
    (found,) = inferred_from(f"it avoids the {APART}", spec)
    assert found.wanted[0].labels == (COMPOSED,)


def test_a_name_of_a_variable_is_found_however_it_is_composed() -> None:
    text = GOOD.replace("pos", '"p\u00f6s"').replace('about: "p\u00f6s"', 'about: "po\u0308s"')
    assert [str(d) for d in validate(text).report.errors] == []


def test_text_that_people_read_stays_as_it_was_written() -> None:
    document = states("a", "b", "c") | {"description": APART}
    spec = validate(document).spec
    assert spec is not None
    assert spec.description == APART


PAIRS = [
    ("\u00e1", "\u0430\u0301", "U+00E1", "U+0430 U+0301"),
    ("o", "\u0585", "U+006F", "U+0585"),  # Armenian
    ("a", "\u0430", "U+0061", "U+0430"),  # Cyrillic
    ("up", "u\u0440", "U+0070", "U+0440"),
    ("K", "\u039a", "U+004B", "U+039A"),  # Greek
    ("go", "g\u03bf", "U+006F", "U+03BF"),
    ("a", "\uff41", "U+0061", "U+FF41"),  # full width
    ("x1", "x\u2460", "U+0031", "U+2460"),
    ("ab", "a\u200bb", "U+0061 U+0062", "U+200B"),
    ("ab", "a\u00adb", "U+0061 U+0062", "U+00AD"),
    ("ab", "ab\ufe0f", "U+0061 U+0062", "U+FE0F"),
    ("a-b", "a\u2010b", "U+002D", "U+2010"),
    ("a-b", "a\u2212b", "U+002D", "U+2212"),
    ("a\u2013b", "a\u2014b", "U+2013", "U+2014"),
    ("a b", "a\u00a0b", "U+0020", "U+00A0"),
    ("a b", "a  b", "U+0061 U+0020 U+0062", "U+0061 U+0020 U+0020 U+0062"),
    ("a", "a\x1b", "U+0061", "U+001B"),
    ("it\u2019s", "it\u02bcs", "U+2019", "U+02BC"),
]


@pytest.mark.parametrize(("one", "other", "first", "second"), PAIRS)
def test_labels_that_look_alike_are_a_finding_that_names_both(
    one: str, other: str, first: str, second: str
) -> None:
    found = [
        d for d in validate(states(one, "middle", other)).report.warnings if d.code == "GMN123"
    ]
    (alike,) = found
    assert alike.pointer == "/states/0/labels/2"
    assert alike.variable == "pos"
    for words in (repr(one), repr(other), f"({first})", f"({second})"):
        assert words in alike.message


@pytest.mark.parametrize(
    "labels",
    [
        ("a", "b", "c"), ("A", "a", "c"), ("x1", "xl", "x10"), ("caf\u00e9", "cafe", "c"),
        ("\u0430", "\u0431", "\u0432"), ("links", "rechts", "\u00fcber"), ("a-b", "a_b", "ab"),
        ("\u4e0a", "\u4e0b", "\u4e2d"),
    ],
)  # fmt: skip
def test_labels_that_differ_to_the_eye_are_no_finding(labels: tuple[str, ...]) -> None:
    assert "GMN123" not in codes(validate(states(*labels)))


def test_many_labels_that_look_alike_are_a_handful_of_findings() -> None:
    labels = ["a" + "\u200b" * n for n in range(46)]
    found = [d for d in validate(states(*labels)).report.diagnostics if d.code == "GMN123"]
    assert len(found) == 6
    assert "40 more" in found[-1].message


def test_a_reference_that_only_looks_like_a_label_is_told_from_it() -> None:
    (error,) = validate(swapped("rows: [[0.5, 0.3, 0.2]]", "map: [\u0430]")).report.errors
    assert error.code == "GMN106"
    assert "looks like 'a' (U+0061)" in error.message
    assert "(U+0430)" in error.message


@pytest.mark.parametrize("place", ["name", "agent_type", "query", "key"])
def test_a_name_that_holds_what_is_not_seen_is_a_finding_and_repaired(place: str) -> None:
    query = {"name": "q", "trigger": "on_start", "prompt": "x", "effect": "note", "target": ""}
    bad = "x\x1b]52;c;eA==\x07\u202e\ny"
    document = states("a", "b", "c") | {
        "queries": [query],
        "metadata": [{"key": "k", "value": "v"}],
    }
    spec = GMNSpec.model_validate(document)
    tree = spec.to_json()
    where = {"query": ("queries", "name"), "key": ("metadata", "key")}.get(place)
    if where is None:
        tree[place] = bad
    else:
        tree[where[0]][0][where[1]] = bad  # type: ignore[index]
    assert "GMN115" in [d.code for d in validate(tree, repair="none").report.errors]
    verdict = validate(tree)
    assert [str(d) for d in verdict.report.errors] == []
    assert "GMN115" in [d.code for d in verdict.report.repairs]
    assert verdict.spec is not None
    assert "x_]52;c;eA==___y" in str(verdict.spec.to_json())


def test_a_label_that_holds_what_is_not_seen_is_a_finding_that_says_so() -> None:
    (found,) = [
        d for d in validate(states("a", "b", "c\x07")).report.warnings if d.code == "GMN121"
    ]
    assert "not seen" in found.message


def test_the_command_line_shows_code_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps(states("a", "\u0430", "c")))
    main(["validate", str(path)])
    assert "GMN123 warning" in capsys.readouterr().out


@settings(deadline=None, max_examples=share_of(100))
@given(st.lists(st.text(max_size=6), min_size=1, max_size=5))
def test_labels_are_always_composed_and_never_lost(labels: list[str]) -> None:
    made = Variable(name="x", labels=tuple(labels))
    assert made.labels == tuple(unicodedata.normalize("NFC", one) for one in labels)
    for one, other in zip(labels, made.labels, strict=True):
        assert made.names[labels_matching(one, made)[0]] == other
