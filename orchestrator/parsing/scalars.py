"""Numbers and truth values that stand in a string."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

from orchestrator.types.pattern import pattern

# Leading zeros ("010") and separators ("1_000", "1,000") have more than one reading.
_NUMBER = pattern(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_FRACTION = pattern(r"([0-9]+)\s*/\s*([0-9]+)")
_DIGITS = pattern(r"(?<![\w.\"'])[0-9]{640,}+(?![\w.\"'])")  # no lower limit can be set in Python
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
_NULLS = frozenset({"null", "none", "nil", "n/a", "n.a", "na", "undefined"})


def number_in(text: str) -> int | float | None:
    """The finite number that `text` spells, an int where it has no point and no exponent."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text)
    except ValueError:  # a point, an exponent, or more digits than Python reads
        number = float(text)
    return number if math.isfinite(number) else None


def share_in(text: str) -> int | float | None:
    """The same where a percentage or a fraction is a number too: ``20%`` is 0.2, ``1/4`` 0.25."""
    text = text.strip()
    if fraction := _FRACTION.fullmatch(text):
        over, under = (number_in(part) for part in fraction.groups())
        return over / under if over is not None and under else None
    number = number_in(text.removesuffix("%"))
    return number / 100 if number is not None and text.endswith("%") else number


def too_many_digits(text: str) -> str:
    """What to say of the first whole number in `text` that Python refuses to read, else empty."""
    most = sys.get_int_max_str_digits()
    lengths = (len(found[0]) for found in _DIGITS.finditer(text))
    long = next((length for length in lengths if 0 < most < length), 0)
    return f"a number of {long:,} digits; at most {most:,} digits are read" if long else ""


def long_number_in(value: object) -> tuple[object, ...] | None:
    """The keys and indices that lead to the first whole number, or name of one, that Python refuses
    to write; None where there is none."""
    most = sys.get_int_max_str_digits()
    beyond = 10**most if most else math.inf
    left: list[tuple[tuple[object, ...], object]] = [((), value)]
    seen: set[int] = set()
    while left:
        steps, part = left.pop()
        keys = part if isinstance(part, Mapping) else ()
        if any(isinstance(one, int) and not -beyond < one < beyond for one in (part, *keys)):
            return steps
        if not isinstance(part, Mapping | list | tuple) or id(part) in seen:
            continue
        seen.add(id(part))  # what holds itself is looked at once
        held = part.items() if isinstance(part, Mapping) else enumerate(part)
        left += [((*steps, key), one) for key, one in held if not isinstance(one, str | float)]
    return None


def truth_in(text: str) -> bool | None:
    """The truth value that `text` spells: true, yes, false or no, in any case."""
    return _TRUTHS.get(text.strip().lower())


def is_null(text: str) -> bool:
    """Whether `text` says in a word that there is no value."""
    return text.strip().rstrip(".").lower() in _NULLS
