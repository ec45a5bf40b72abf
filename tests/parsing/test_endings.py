"""Loops: found where a model cannot stop, never in a document that repeats itself for a reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.generation.request_building import load_library
from orchestrator.gmn.formats import write_json, write_text
from orchestrator.parsing.endings import is_getting_on, is_looping


@pytest.mark.parametrize(
    "loop",
    ["\n", " \t", "ha ", "I will now write the model.\n", "node state s { labels: [a, b] }\n",
     '{"name": "s", "labels": ["a", "b"]}, ', "0.0, ", "[0.1, 0.9], "],
)  # fmt: skip
@given(start=st.text(max_size=80), cut=st.integers(0, 40))
def test_one_piece_over_and_over_is_a_loop_wherever_it_is_cut(
    loop: str, start: str, cut: int
) -> None:
    text = (start + loop * (13_000 // len(loop) + 50))[: -cut or None]
    assert is_looping(text)
    assert is_looping(text[-3_400:], is_cut_off=True)
    assert not is_looping(start + loop * 3)


@pytest.mark.parametrize("states", [9, 25, 36])
def test_tables_of_equal_rows_are_no_loop_at_any_point_of_their_stream(states: int) -> None:
    rows = [[round(1 / states, 3)] * states for _ in range(states)]
    zeros = [[0.0] * states for _ in range(states)]
    for made in (rows, zeros):
        for text in (json.dumps(made), json.dumps(made, indent=1)):
            assert [n for n in range(300, len(text), 300) if is_looping(text[:n])] == []


def test_no_curated_model_looks_like_a_loop() -> None:
    texts = [
        t
        for e in load_library()
        for t in (e.text, write_json(e.spec), write_json(e.spec, indent=8))
    ]
    assert [t for t in texts if any(is_looping(t[:n]) for n in range(0, len(t), 300))] == []
    assert [t for t in texts if is_looping(t[: len(t) // 2], is_cut_off=True)] == []


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "' + "a device that keeps a room at the temperature it has, and " * 20,
        ",".join(f'{{"name": "s{i}", "labels": ["a{i}", "b{i}"]}}' for i in range(99)),
        "node state s { labels: [cold, hot] }\n" * 80,
    ],
)
def test_a_text_that_circles_or_is_lost_in_one_value_is_not_getting_on(text: str) -> None:
    assert not is_getting_on(text)


def test_documents_and_tables_are_getting_on_wherever_they_are_cut() -> None:
    table = str([[0.1] * 20] * 20)
    texts = [table, *(write_text(example.spec) for example in load_library())]
    assert all(is_getting_on(text[:end]) for text in texts for end in range(0, len(text), 211))
