"""The reasoning that stands before an answer, in the ways in which models mark it."""

from __future__ import annotations

import re

_NAMES = r"think(?:ing)?|reason(?:ing)?|thoughts?|analysis|scratchpad"
# A tag in the middle of a line is quoted by a document rather than written by a chat template.
_OPENED = re.compile(rf"^[ \t]*[<\[◁](?:{_NAMES})[>\]▷]", re.IGNORECASE | re.MULTILINE)
_CLOSED = re.compile(
    rf"^[ \t]*[<\[◁]/(?:{_NAMES})[>\]▷]|[<\[◁]/(?:{_NAMES})[>\]▷](?=[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_FINAL = re.compile(
    r"<\|channel\|>\s*final\b[^<]*<\|message\|>|^analysis.*?assistant\s*final", re.S
)
_CHANNEL = re.compile(r"<\|channel\|>")
_OVER = re.compile(r"<\|(?:return|end|start|channel)\|>")


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
        text = _blank(text[:start]) + text[start:end] + _blank(text[end:])
    elif _CHANNEL.search(text):
        return _blank(text)
    closed = list(_CLOSED.finditer(text))
    if closed:
        text = _blank(text[: closed[-1].end()]) + text[closed[-1].end() :]
    opened = _OPENED.search(text)
    return text[: opened.start()] + _blank(text[opened.start() :]) if opened else text


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)
