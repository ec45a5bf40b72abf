"""Strangers' text where people read it: what a terminal obeys, or does not show, is spelled out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging

#: Control characters, lone surrogates, line and paragraph separators, format characters (marks of
#: direction, zero width, tags) and letters that are blank; a test compares it with Unicode's table.
HIDDEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    r"\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_IN_LINES = re.compile(f"[{HIDDEN}]")
_IN_A_LINE = re.compile(rf"[{HIDDEN}\n\t]")


def visible(text: str, *, lines: bool = False) -> str:
    r"""`text` with ``\x1b``, ``\n`` or ``\u202e`` in place of what is not seen; shown twice it is
    the same. With `lines` the ends of lines and tabs stay.
    """
    pattern = _IN_LINES if lines else _IN_A_LINE
    return pattern.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def json_text(value: object, **layout: Any) -> str:
    """`value` as JSON that reads back equal and holds no such character but ends of lines;
    `layout` is for `json.dumps`."""
    return _IN_LINES.sub(_json_escape, json.dumps(value, ensure_ascii=False, **layout))


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(rf"\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def logger_of(module: str) -> logging.Logger:
    """The logger of a module, each of whose records is one line."""
    import logging  # noqa: PLC0415  commands that log nothing do without

    logger = logging.getLogger(module)
    logger.addFilter(_one_line)
    return logger


def _in_a_line(value: object) -> object:
    return value if isinstance(value, int | float) else visible(str(value))


def _one_line(record: logging.LogRecord) -> bool:
    if isinstance(record.args, Mapping):
        record.args = {name: _in_a_line(one) for name, one in record.args.items()}
    elif record.args:
        record.args = tuple(map(_in_a_line, record.args))
    if record.exc_info:  # formatted here, since every handler would format it as it is
        import logging  # noqa: PLC0415  loaded long since

        text = logging.Formatter().formatException(record.exc_info)
        record.exc_text = visible(text, lines=True)
    return True
