"""Actions that nothing but their effects names, and ranges of names."""

from __future__ import annotations

import pytest

from orchestrator.gmn.request.commitment import Kind
from orchestrator.gmn.request.read import read

BOILER = "A boiler is cold, warm or hot. "


def values(text: str, kind: Kind) -> list[object]:
    return [one.value for one in read(text).commitments if one.kind == kind]


def test_subjects_are_a_choice_where_one_of_them_leaves_things_as_they_are() -> None:
    said = BOILER + "Heat moves one step up, cool one step down, off leaves it."
    assert values(said, "actions") == [("heat", "cool", "off")]
    assert {(one.action, one.step) for one in read(said).effects} == {
        ("heat", 1), ("cool", -1), ("off", 0)
    }  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        "Heat moves one step up, cool one step down.",  # nothing is left as it is
        "The sun makes cold warm, cool makes warm cold, off leaves it.",  # nature does not choose
        "It makes cold warm, cool makes warm cold, off leaves it.",
        "Off leaves it.",  # one alone is not a choice
        "Warm makes one step up, cold one step down, off leaves it.",  # states do nothing
    ],
)
def test_what_happens_by_itself_is_no_choice(said: str) -> None:
    assert values(BOILER + said, "actions") == []


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("A lift knows floor 0 to floor 2; it waits.", ("floor 0", "floor 1", "floor 2")),
        ("States: 1 to 3.", ("1", "2", "3")),
        ("States: one to three.", ("one", "two", "three")),
        ("States: p0..p2.", ("p0", "p1", "p2")),
        ("States: B-D.", ("B", "C", "D")),
        ("States: floor 0, 1 or 2.", ("floor 0", "floor 1", "floor 2")),
    ],
)
def test_a_range_is_its_names(said: str, names: tuple[str, ...]) -> None:
    reading = read(said)
    assert names in [one.value for one in reading.commitments if one.kind in ("states", "options")]


@pytest.mark.parametrize(
    "said",
    [
        "A postman goes from house 1 to house 8.",  # a journey
        "A shop sells 10 to 20 crates.",
        "A lift knows floor 3 to floor 1.",
        "A lift knows floor 0 to storey 4.",
        "A lift knows floor 0 to floor 9999.",
    ],
)
def test_two_numbers_are_not_always_a_range(said: str) -> None:
    assert not [one for one in read(said).commitments if one.kind in ("states", "options")]
