"""Turns fit into their room whole, and plain answers keep code and names."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.agents.formatter import ConversationFormatter
from orchestrator.agents.interaction import PastTurn
from orchestrator.agents.persona import PersonaConfig
from orchestrator.routing.prices import prompt_tokens
from tests.support.examples import share_of

_FORMATTER = ConversationFormatter()
_PLAIN = PersonaConfig.model_validate({"id": "a", "name": "A", "style": {"markdown": "plain"}})


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("# Head\n\ntext **bold** and *this*", "Head\n\ntext bold and this"),
        ("# # twice, ***both***, **a *b* c**", "twice, both, a b c"),
        ("snake_case, __init__.py, _x_ and 2*3*4 or a**b**c", None),
        ("```python\n# note\nx = a**b**c  # **no**\n__init__ = `y`\n```", None),
        ("~~~\n**x**\n~~~\n**y**", "~~~\n**x**\n~~~\ny"),
        ("```\n**never closed**\n# x", None),
        ("use `**kwargs` and ``a ` **b**``", None),
        ("- a\n* b\n1. c\n2 ** 3 ** 4\n#tag", None),
        ("这是**重要**的", "这是重要的"),
        ("**", None),
    ],
)
def test_plain_takes_headings_and_emphasis_and_nothing_else(text: str, plain: str | None) -> None:
    assert _FORMATTER.format_answer(_PLAIN, text) == (text if plain is None else plain)


@settings(max_examples=share_of(300), deadline=None)
@given(st.text("a_ `*#~\n1", max_size=60))
def test_plain_twice_is_plain(text: str) -> None:
    once = _FORMATTER.format_answer(_PLAIN, text)
    assert _FORMATTER.format_answer(_PLAIN, once) == once


@pytest.mark.parametrize("unit", ["*a ", "`a ", "**a *b ", "*", "# ", "```\n", "a*"])
def test_a_hostile_answer_is_plain_within_seconds(unit: str) -> None:
    began = time.process_time()
    _FORMATTER.format_answer(_PLAIN, unit * 20_000)
    assert time.process_time() - began < 20


@settings(max_examples=share_of(150), deadline=None)
@given(
    said=st.lists(st.tuples(st.text(max_size=80), st.text(max_size=200)), max_size=12),
    block=st.text(max_size=100),
    room=st.integers(0, 300),
)
def test_turns_are_shown_whole_the_newest_first_within_their_room(
    said: list[tuple[str, str]], block: str, room: int
) -> None:
    persona = PersonaConfig.model_validate(
        {"id": "a", "name": "A", "limits": {"history_tokens": room}}
    )
    turns = [PastTurn(number, *texts) for number, texts in enumerate(said, 1)]
    made = _FORMATTER.prepare(persona, turns, "now", block=block)
    assert [*made.left_out, *made.shown] == [turn.number for turn in turns]
    history = [message.content for message in made.messages[1:-1]]
    shown = turns[len(turns) - len(made.shown) :]
    assert history == [text for turn in shown for text in (turn.message, turn.answer)]
    counted = [{"role": "user", "content": text} for text in history]
    if made.shown:
        held = [*counted, {"role": "user", "content": block}]
        assert prompt_tokens({"messages": held if block else counted}) <= room
