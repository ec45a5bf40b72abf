"""Source numbers in an answer: unknown ones go, everything else that has brackets stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.paths import shipped
from orchestrator.generation.search.citations import checked


@pytest.mark.parametrize(
    ("text", "left", "used"),
    [
        ("It is 5 [1].", "It is 5 [1].", (1,)),
        ("It is 5 [9].", "It is 5.", ()),
        ("5 dollars[9].", "5 dollars.", ()),
        ("5 dollars.[9] Then", "5 dollars. Then", ()),
        ("so [1, 9]", "so [1]", (1,)),
        ("so [1,2; 3]", "so [1,2; 3]", (1, 2, 3)),
        ("so [1-3]", "so [1-3]", (1, 2, 3)),
        ("so [2\u20139]", "so [2, 3]", (2, 3)),
        ("so [1][9][2]", "so [1][2]", (1, 2)),
        ("Sources: [1], [9], [2]", "Sources: [1], [2]", (1, 2)),
        ("in 2024[9]", "in 2024", ()),
        ("so (in Paris)[9]", "so (in Paris)", ()),
        ("- [9] the first", "- the first", ()),
        ("**so** [9], and `a[9]`", "**so**, and `a[9]`", ()),
    ],
)
def test_unknown_numbers_are_removed_and_known_ones_listed(
    text: str, left: str, used: tuple[int, ...]
) -> None:
    made = checked(text, {1, 2, 3})
    assert (made.text, made.used) == (left, used)
    assert bool(made.notes) == (left != text)
    assert checked(left, {1, 2, 3}).text == left


@pytest.mark.parametrize(
    "text",
    [
        "a[9] and xs[9] and x_1[9] and m.rows[9] and f(x)[9]",
        "arr[9] = 3",
        "use `list[9]` and ``a `b`[9]``",
        "```python\nprint(values[9])\n```",
        "~~~\nnot closed [9]",
        "[9](https://a.example/) and ![9](b.png) and [Smith][9]",
        "[9]: https://a.example/x",
        "see https://a.example/[9]",
        "sizes: [9, 8]",
        "x = [9, 8]",
        "{keep: 0, forward: [9], back: [8]}",
        "f([9])",
        "rows [[9, 8], [8, 7],\n [7, 6]]",
        "[0] and [2024] and [^9] and [x] and [ ] and [9.5]",
        '{"a": "so [9]", "b": [9]}',
        "[9, 8]",
    ],
)
def test_brackets_that_are_not_citations_stay(text: str) -> None:
    made = checked(text, {1})
    assert (made.text, made.used, made.notes) == (text, (), ())


@pytest.mark.parametrize(
    "path", sorted(shipped("prompts", "library").iterdir()), ids=lambda p: p.stem
)
def test_documents_stay_as_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert checked(text, ()).text == text


@given(st.text(st.sampled_from("[]19,-` \n(){}a=:."), max_size=40), st.sets(st.integers(1, 20)))
def test_only_numbers_in_brackets_are_ever_removed(text: str, known: set[int]) -> None:
    made = checked(text, known)
    assert set(made.used) <= known
    assert made.notes or made.text == text
    assert made.text.count("a") == text.count("a")
    assert made.text.count("\n") == text.count("\n")
