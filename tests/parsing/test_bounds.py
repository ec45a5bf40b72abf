"""What a value measures, and a text with blanks in place of what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.parsing.bounds import measured
from orchestrator.parsing.scanning import blanked

SCALARS = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(), st.binary())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.dictionaries(st.text() | st.integers(), inner)
    ),
)


def size_of(value: Any) -> int:
    """One for each part, one for each character, one more for each place in a list or object."""
    if isinstance(value, Mapping):
        named = sum(len(name) for name in value if isinstance(name, str))
        return 1 + len(value) + named + sum(map(size_of, value.values()))
    if isinstance(value, list | tuple):
        return 1 + len(value) + sum(map(size_of, value))
    return 1 + (len(value) if isinstance(value, str) else 0)


@settings(deadline=None)
@given(VALUES)
def test_every_part_and_every_character_counts(value: object) -> None:
    size = size_of(value)
    assert measured(value) == measured(value, most=size) == size
    with pytest.raises(ValueError, match=f"more than {size - 1} characters and parts"):
        measured(value, most=size - 1)


@pytest.mark.parametrize("inner", [1, "a", None, 2.5, True])
@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: (v,), lambda v: {"a": v}])
def test_only_lists_and_objects_are_levels(inner: object, wrap: Any) -> None:
    value = wrap(wrap(inner))
    assert measured(value, nested=2) > 0
    with pytest.raises(ValueError, match="nested in more than 1 levels"):
        measured(value, nested=1)


@settings(deadline=None)
@given(st.text(st.sampled_from("ab \t\r\n\v\f\x85\u2028é")))
def test_what_is_blanked_keeps_every_offset_and_line(text: str) -> None:
    assert blanked(text) == re.sub(r"[^\n]", " ", text)
