"""GMN123: labels that a reader cannot tell apart.

Two labels look alike when their `skeleton` is the same. It covers other widths and forms of a
character, characters that are not seen, dashes, spaces and quotation marks, and the Cyrillic and
Greek letters that look like a Latin one. It does not cover look-alikes within one script (``0``
and ``O``, ``l`` and ``1``) nor those of other scripts.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from orchestrator.gmn.checks.registry import MOST_SHOWN, Subject, check
from orchestrator.gmn.codes import finding
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.model import Variable
    from orchestrator.types.diagnostics import Diagnostic

_LOOKS_LIKE = str.maketrans(
    "АВЕКМНОРСТУХІЈЅԚԜаеорсухіјѕһԁԛԝѵΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορυϲϳ‘’ʼ“”օոսӏɡɑıǀᎪꓮ\u2800",  # noqa: RUF001  that is the point
    "ABEKMHOPCTYXIJSQWaeopcyxijshdqwvABEZHIKMNOPTYXaikvopucj'''\"\"onulgaiIAA ",
)


@lru_cache(maxsize=4096)
def skeleton(label: str) -> str:
    """What `label` looks like: equal for labels that look alike, not itself a label."""
    seen = (c for c in unicodedata.normalize("NFKD", label) if _is_seen(c))
    plain = ("-" if unicodedata.category(c) == "Pd" or c == "\u2212" else c for c in seen)
    return " ".join("".join(plain).translate(_LOOKS_LIKE).split())


def _is_seen(character: str) -> bool:
    return visible(character, lines=True) == character and not "\ufe00" <= character <= "\ufe0f"


def told_apart(one: str, other: str) -> tuple[str, str]:
    """Both labels with the code points in which they differ: ``'a' (U+0061)``."""
    return _with_points(one, other), _with_points(other, one)


def _with_points(label: str, other: str) -> str:
    differ = [c for c in label if c not in other] or label
    return f"{label!r} ({' '.join(f'U+{ord(c):04X}' for c in differ)})"


@check("GMN123")
def labels_are_told_apart(subject: Subject) -> Iterator[Diagnostic]:
    """No two labels of a variable look alike; equal ones are another finding."""
    for kind in ("states", "observations", "actions"):
        for index, variable in enumerate(getattr(subject.spec, kind)):
            yield from _alike_in(f"/{kind}/{index}", variable)


def _alike_in(pointer: str, variable: Variable) -> Iterator[Diagnostic]:
    found = list(_alike(variable))
    for i, first in found[:MOST_SHOWN]:
        one, other = told_apart(first, variable.labels[i])
        words = f"labels {one} and {other} of {variable.name} look alike"
        at = f"{pointer}/labels/{i}"
        yield finding("GMN123", words, pointer=at, variable=variable.name)
    if more := len(found[MOST_SHOWN:]):
        words = f"{more} more labels of {variable.name} look like another"
        yield finding("GMN123", words, pointer=f"{pointer}/labels", variable=variable.name)


def _alike(variable: Variable) -> Iterator[tuple[int, str]]:
    """Index of each label that looks like an earlier one, and the first such label."""
    first: dict[str, str] = {}
    for i, label in enumerate(variable.labels):
        known = first.setdefault(skeleton(label), label)
        if known != label:
            yield i, known
