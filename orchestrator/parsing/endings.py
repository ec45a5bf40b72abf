"""How an answer ended: by another limit than ours, or in one piece over and over."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from orchestrator.types.pattern import pattern

if TYPE_CHECKING:
    from orchestrator.types.requests import Answer

_MOST_CHARACTERS = 20  # of one token, on average
_NEARLY = 0.9  # of a limit: servers count a few tokens more or less than is asked for

_LONGEST_PIECE = 400  # characters
_FEWEST_COPIES = 8
#: Characters that the copies cover before an answer is stopped: rows of equal numbers are long in
#: good documents too, blanks and words are not.
_OF_BLANKS, _OF_WORDS, _OF_NUMBERS = 600, 3_000, 12_000
_MOST_COPIES = 400  # of a short word: ``state_1_1_1_1``
_ONCE_CUT_OFF = 4  # factor by which less is enough in an answer that has not come to its end
_CIRCLE = 2_000  # characters in which a text that circles shows it
_LEAST_NEW = 0.09  # of its length, that a text which says something new takes compressed
_OF_OTHERS = 0.2
_OF_TABLES = frozenset("0123456789.,;:+-|/()[]{} \t\r\n")  # what rows of numbers are written with
_LONGEST_VALUE, _MOST_LOOKED_AT = 600, 20_000  # characters
_QUOTED = pattern(r'"(?:[^"\\]|\\.)*(?P<end>"?)', re.DOTALL)
_DIGITS = pattern(r"\d{1,9}")
LONGEST_TAIL = _OF_NUMBERS + _LONGEST_PIECE  # characters: all that is looked at


def is_looping(text: str, *, is_cut_off: bool = False) -> bool:
    """Whether the end of a text is one piece over and over, too often to be meant.

    `is_cut_off` says that the text has no end of its own: then less is enough.
    """
    for size in range(1, min(_LONGEST_PIECE, len(text) // _FEWEST_COPIES) + 1):
        piece = text[-size:]
        if text.endswith(piece * _FEWEST_COPIES):
            most = _meant(piece) // (_ONCE_CUT_OFF if is_cut_off else 1)
            return text.endswith(piece * max(_FEWEST_COPIES, -(-most // size)))
    return False


def _meant(piece: str) -> int:
    if piece.isspace():
        return _OF_BLANKS
    if _OF_TABLES.issuperset(piece):
        return _OF_NUMBERS
    return min(_OF_WORDS, _MOST_COPIES * len(piece))


def is_getting_on(text: str) -> bool:
    """Whether a text that was cut off was on its way: it neither circles nor is lost in one value.

    What circles may count: ``s1, s2, s3``. It compresses to less than a twentieth, documents to a
    seventh at least; tables of numbers may do so too and are meant.
    """
    opened = list(_QUOTED.finditer(text[-_MOST_LOOKED_AT:]))
    if opened and not opened[-1]["end"] and len(opened[-1][0]) > _LONGEST_VALUE:
        return False
    tail = _DIGITS.sub("0", text[-_CIRCLE:])
    is_table = sum(c not in _OF_TABLES for c in tail) <= len(tail) * _OF_OTHERS
    if len(text) < _CIRCLE or is_table:
        return True
    packed = zlib.compress(tail.encode(errors="replace"), 9)
    return len(packed) > len(tail) * _LEAST_NEW


def is_stopped_short(answer: Answer, limit: int) -> bool:
    """Whether an answer was cut off, and by something else than `limit`: it is far below that.

    Not where its tokens are too few for its text: some servers do not count.
    """
    tokens = answer.usage.completion_tokens
    is_counted = tokens * _MOST_CHARACTERS >= max(len(answer.text), 1)
    return answer.finish == "length" and is_counted and tokens < _NEARLY * limit
