"""The reasoning that stands before an answer, in the ways in which models mark it."""

from __future__ import annotations

import re

from orchestrator.parsing.scanning import blanked
from orchestrator.types.pattern import pattern

_NAMES = r"think(?:ing)?|reason(?:ing)?|thoughts?|analysis|scratchpad"
# A tag in the middle of a line is quoted by a document rather than written by a chat template.
_OPENED = pattern(rf"^[ \t]*[<\[◁](?:{_NAMES})[>\]▷]", re.IGNORECASE | re.MULTILINE)
_CLOSED = pattern(
    rf"^[ \t]*[<\[◁]/(?:{_NAMES})[>\]▷]|[<\[◁]/(?:{_NAMES})[>\]▷](?=[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_FINAL = pattern(r"<\|channel\|>\s*final\b[^<]*<\|message\|>|^analysis.*?assistant\s*final", re.S)
_CHANNEL = "<|channel|>"
_OVER = pattern(r"<\|(?:return|end|start|channel)\|>")


def without_reasoning(text: str) -> str:
    """`text` with its reasoning blanked, so that every offset stays.

    Reasoning is what stands between tags such as ``<think>`` and ``</think>``; before a closing
    tag that nothing opens; behind an opening one that nothing closes; and in every channel but
    the last one called final.
    """
    finals = list(_FINAL.finditer(text))
    if finals:
        start = finals[-1].end()
        over = _OVER.search(text, start)
        end = over.start() if over else len(text)
        text = blanked(text[:start]) + text[start:end] + blanked(text[end:])
    elif _CHANNEL in text:
        return blanked(text)
    closed = list(_CLOSED.finditer(text))
    if closed:
        text = blanked(text[: closed[-1].end()]) + text[closed[-1].end() :]
    opened = _OPENED.search(text)
    return text[: opened.start()] + blanked(text[opened.start() :]) if opened else text
