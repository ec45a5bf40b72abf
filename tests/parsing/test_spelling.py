"""A misspelt word is read as the known one it means, never as one that means another."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gmn.formats import coerce
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from orchestrator.parsing import spelling
from orchestrator.parsing.schema_coercion import coerced
from orchestrator.parsing.spelling import nearest, nearest_keys
from orchestrator.types import work
from tests.support.documents import GOOD

#: Each means another than its neighbour.
APART = [
    ("s10", "s1"), ("s01", "s1"), ("state_10", "state_1"), ("state_1_0", "state_10"), ("-1", "1"),
    ("1.5", "15"), ("x-1", "x1"), ("t+1", "t-1"), ("m²", "m³"), ("C++", "C"), ("C#", "C"),
    ("A+", "A-"), ("!open", "open"), ("r0c10", "r0c1"), ("s1a", "sa1"), ("stage_III", "stage_II"),
    ("phase viii", "phase vii"), ("room_a", "room_b"), ("planA", "planB"),
    ("inactive", "active"), ("unreachable", "reachable"), ("atypical", "typical"),
    ("nonzero", "zero"), ("not_ready", "ready"), ("antiviral", "viral"), ("disabled", "enabled"),
    ("unable", "enable"), ("improper", "proper"), ("irregular", "regular"), ("never", "ever"),
    ("neither", "either"), ("can't", "can"), ("deduce", "reduce"), ("none", "one"),
    ("min_x", "max_x"), ("left", "right"), ("turn_left", "turn_right"), ("up", "down"),
    ("true", "false"), ("on", "off"), ("increase", "decrease"), ("internal", "external"),
    ("import", "export"), ("upper", "lower"), ("活性", "不活性"), ("左转弯", "右转弯"),
]  # fmt: skip
MEANT = [
    ("Open Door", "open_door"), ("north-east", "north east"), ("firstName", "first_name"),
    ("FIRST_NAME", "first_name"), ("opn door", "open door"), ("frist_name", "first_name"),
    ("colour", "color"), ("R0C1", "r0c1"), ("state 1", "state_1"), ("room 2b", "Room_2B"),
    ("beleif", "belief"), ("pso", "pos"), ("Yes.", "yes"), ("A", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), APART)
def test_a_neighbour_that_means_another_is_no_near_miss(one: str, other: str) -> None:
    assert nearest(one, [other]) is None
    assert nearest(other, [one]) is None


@pytest.mark.parametrize(("word", "meant"), MEANT)
def test_a_slip_of_the_pen_is_read_as_what_it_means(word: str, meant: str) -> None:
    assert nearest(word, [meant, "elsewhere"]) == meant


@given(st.text(alphabet="bcd", min_size=4, max_size=9), st.data())
def test_one_letter_more_less_or_other_and_two_exchanged_are_one_edit(
    word: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("bcd"))
    edited = data.draw(
        st.sampled_from(
            [
                word[:at] + letter + word[at:],
                word[:at] + word[at + 1 :],
                word[:at] + letter + word[at + 1 :],
                word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
            ]
        )
    )
    assert nearest(edited, [word]) == word


@given(st.lists(st.text("abC_ 1-", max_size=6), max_size=8), st.text("abC_ 1-", max_size=6))
def test_of_many_words_the_same_is_meant_as_by_looking_at_each(known: list[str], word: str) -> None:
    alike: list[Callable[[str], bool]] = [
        lambda option: option == word,
        lambda option: option.casefold() == word.casefold(),
        lambda option: () != spelling._unspaced(option) == spelling._unspaced(word),
        lambda option: spelling._is_misspelt(word, option, 3),
    ]
    found = [{option for option in known if is_alike(option)} for is_alike in alike]
    first = next(filter(None, found), set())
    assert nearest(word, known) == (first.pop() if len(first) == 1 else None)


def test_a_word_is_looked_for_by_its_letters_not_in_every_word() -> None:
    known = [f"{a}{b}{c}room" for a in "bcdfghkl" for b in "aeiou" for c in "bcdfghkl"]
    with work.allowance(40 * 500):
        for number in range(500):
            assert nearest(f"unknown {number}", known) is None
        assert nearest("bacrooom", known) == "bacroom"


def test_two_candidates_are_none() -> None:
    assert nearest("stat", ["start", "state"]) is None
    assert nearest("ms", ["mS", "MS"]) is None
    assert nearest("mS", ["mS", "MS"]) == "mS"


WORDS = st.sampled_from(
    ["s", "state", "room", "r0c", "level-", "x_", "C", "weight_", "t-", "", "north", "active"]
)
LABELS = st.builds(
    lambda word, sign, number, tail: f"{word}{sign}{number}{tail}",
    WORDS,
    st.sampled_from(["", "", "-", "+"]),
    st.one_of(st.integers(0, 120).map(str), st.just("")),
    st.sampled_from(["", "", "_b", "++", "%"]),
).filter(bool)


def figures(label: str) -> list[str]:
    return re.findall(r"\d+|(?<![a-z])[-+]|[-+](?=\d)|[%]", label)


@given(st.lists(LABELS, min_size=1, max_size=8, unique=True), LABELS)
def test_a_repair_changes_no_digit_sign_or_operator(labels: list[str], word: str) -> None:
    read = nearest(word, labels)
    assert read is None or figures(read) == figures(word)
    assert word not in labels or read == word


@given(st.sets(st.integers(0, 120), min_size=1, max_size=6), st.integers(0, 120), WORDS)
def test_a_label_never_becomes_its_neighbour_by_number(
    known: set[int], number: int, word: str
) -> None:
    labels = [f"{word}{n}" for n in sorted(known)]
    meant = f"{word}{number}" if number in known else None
    assert nearest(f"{word}{number}", labels) == meant
    schema = {"type": "object", "properties": {label: {} for label in labels},
              "required": labels, "additionalProperties": False}  # fmt: skip
    assert coerced({f"{word}{number}": 1}, schema) == ({f"{word}{number}": 1}, ())
    assert coerced(f"{word}{number}", {"enum": labels}) == (f"{word}{number}", ())


@given(st.text(max_size=12), st.text(max_size=12))
def test_one_word_means_another_as_far_as_the_other_means_it(one: str, other: str) -> None:
    assert (nearest(one, [other]) is None) == (nearest(other, [one]) is None)


def test_a_key_is_never_given_the_value_of_another_that_is_there() -> None:
    known = ["weight_1", "weight_2", "label"]
    assert nearest_keys(["weight_0", "weight_1"], known) == {}
    assert nearest_keys(["lable", "label"], known) == {}
    assert nearest_keys(["lable", "Label"], known) == {}
    assert nearest_keys(["lable", "weight_2"], known) == {"lable": "label"}


def test_a_property_of_a_document_keeps_its_value_beside_a_misspelt_one() -> None:
    tree = {"states": [{"name": "s", "lables": ["x", "y"], "labels": ["a", "b"]}]}
    made = coerce(tree)
    assert isinstance(made.spec, GMNSpec)
    assert made.spec.states[0].labels == ("a", "b")
    text = GOOD.replace("node state pos {", "node state pos { lables: [x, y, z]")
    spec = validate(text).spec
    assert spec is not None
    assert spec.states[0].labels == ("a", "b", "c")


def test_a_label_of_a_document_is_not_read_as_its_neighbour_by_number() -> None:
    text = GOOD.replace("[a, b, c]", "[s1, s2, s3]").replace(
        "rows: [[0.5, 0.3, 0.2]]", "map: [s10]"
    )
    report = validate(text).report
    assert [d.code for d in report.errors] == ["GMN106"]
