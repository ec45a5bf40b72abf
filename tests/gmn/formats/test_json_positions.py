"""Every part of a JSON text is found where it stands, also where the text is careless."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.gmn.formats import read
from orchestrator.gmn.formats.json_positions import JsonPositions
from orchestrator.parsing.json_pointer import pointer_to, steps_of
from orchestrator.parsing.json_reader import read_json

KEYS = st.text(alphabet="ab/~ \"'{[:,é", max_size=4)
LEAVES = st.one_of(
    st.integers(), st.booleans(), st.none(), st.text(alphabet="ab\"'{}[]:,/#", max_size=5)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def parts(value: Any, pointer: str = "") -> list[tuple[str, Any]]:
    steps: Any = enumerate(value) if isinstance(value, list) else ()
    steps = value.items() if isinstance(value, dict) else steps
    inner = [found for step, part in steps for found in parts(part, pointer + pointer_to(step))]
    return [(pointer, value), *inner]


@given(VALUES, st.sampled_from([None, 1]))
def test_each_part_of_valid_json_stands_where_it_is_found(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    positions = JsonPositions(text)
    for pointer, part in parts(value):
        assert json.JSONDecoder().raw_decode(text, positions[pointer])[0] == part


@given(VALUES.filter(lambda value: isinstance(value, dict | list)))
def test_each_part_of_pythons_spelling_stands_where_it_is_found(value: Any) -> None:
    text = repr(value)
    positions = JsonPositions(text)
    for pointer, part in parts(value):
        assert text.startswith(repr(part), positions[pointer])


def test_comments_bare_keys_and_trailing_commas_do_not_move_a_part() -> None:
    text = "{a: 'x', /* {b: 1} */ 'b': [0x10, // ]\n +2, (3),], \"c/d\": {e: .5,},}"
    positions = JsonPositions(text)
    found = {pointer: text[at : at + 3] for pointer in ("/a", "/b", "/b/0", "/b/1", "/c~1d/e")
             if (at := positions[pointer])}  # fmt: skip
    assert found == {"/a": "'x'", "/b": "[0x", "/b/0": "0x1", "/b/1": "+2,", "/c~1d/e": ".5,"}
    assert "/b/3" not in positions
    assert "/a/0" not in positions


@given(st.lists(st.text(max_size=4), max_size=4))
def test_a_pointer_leads_back_to_its_steps(steps: list[str]) -> None:
    assert steps_of(pointer_to(*steps)) == steps


def test_a_careless_document_keeps_its_places() -> None:
    text = """Sure:
```
{'states': [
  {'name': 'a', 'size': 2}, // two
  {'name': 'b', 'size': 3},
]}
```
"""
    reading = read(text)
    place = reading.places.of("/states/1/size")
    assert place is not None
    assert text.splitlines()[place.line - 1][place.column - 1] == "3"


def test_keys_given_twice_are_named_with_whether_they_agree() -> None:
    found = read_json('{"a": {"x": 1, "x": 1}, "b": 1, "b": 2, "b": 2}')
    assert found.value == {"a": {"x": 1}, "b": 2}
    assert found.repeated == ("x", "b")
    assert found.clashing == ("b",)


def test_a_value_in_prose_says_where_it_begins() -> None:
    for text in ('{"a": 1}', 'Sure: {"a": 1} Done.', "Sure:\n```\n {'a': 1,}\n```"):
        assert text[read_json(text).offset] == "{"
