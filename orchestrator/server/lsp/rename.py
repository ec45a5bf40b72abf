"""One name for another, everywhere in a text, or not at all."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from orchestrator.gmn.formats.write import word_of
from orchestrator.gmn.imports import read
from orchestrator.gmn.model import LABEL_PATTERN, NAME_PATTERN, nfc
from orchestrator.server.lsp.analysis import NotPossibleError
from orchestrator.server.lsp.mentions import matches
from orchestrator.server.lsp.positions import Edit, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.server.lsp.analysis import Analysis
    from orchestrator.server.lsp.mentions import Mention, Symbols

_LABEL, _NAME = re.compile(LABEL_PATTERN), re.compile(NAME_PATTERN)
_WORD = re.compile(r"[\w.+-]+")  # a name or a label, with all that may be part of one


def renamed_at(analysis: Analysis, offset: int) -> Mention:
    """The mention at `offset` of something that can be renamed.

    Raises: NotPossibleError: there is none.
    """
    names = analysis.names()
    mention = names.at(offset)
    if mention is None or mention.is_pattern:
        raise NotPossibleError("only a variable or a label has a name that can be changed here")
    if not any(one.is_declaration for one in names.same(mention)):
        what = f"label {mention.label!r}" if mention.label else f"variable {mention.variable!r}"
        raise NotPossibleError(f"the {what} is not declared in the text: its name is given")
    return mention


def rename(analysis: Analysis, offset: int, new: str) -> list[Edit]:
    """The edits that give the variable or label at `offset` a new name.

    Raises: NotPossibleError: the new name is not valid, is taken, or would mean something else.
    """
    mention, names = renamed_at(analysis, offset), analysis.names()
    new = nfc(new.strip())
    _check(mention, names, new)
    body = analysis.body
    is_json = body.lstrip()[:1] in ("{", "[")
    edits = [
        Edit(*one.span, new if one.is_inside else json.dumps(new) if is_json else word_of(new))
        for one in names.same(mention)
    ]
    old = mention.label or mention.variable
    after = read(replaced(body, edits))
    if not _is_same(analysis.reading().tree, after.tree, old, new):
        words = "it is named in a way that cannot be changed here; format the document first"
        raise NotPossibleError(words)
    return edits


def _check(mention: Mention, names: Symbols, new: str) -> None:
    form = _LABEL if mention.label else _NAME
    if not form.fullmatch(new):
        what = "label" if mention.label else "name"
        allowed = "letters, digits, _ . + -" if mention.label else "letters, digits and _"
        raise NotPossibleError(f"{new!r} is not a {what}: {allowed}, up to 48, not first a sign")
    if not mention.label:
        if new in names.kinds and new != mention.variable:
            raise NotPossibleError(f"{new!r} is taken, by node {names.kinds[new]} {new}")
        return
    variable = names.variables.get(mention.variable)
    if variable and new in variable.names and new != mention.label:
        raise NotPossibleError(f"{mention.variable} has a label {new!r} already")
    for one in names.mentions:
        is_about = one.is_pattern and one.variable == mention.variable
        if is_about and matches(one.label, mention.label) != matches(one.label, new):
            words = f"the pattern {one.label!r} would stand for other labels than before"
            raise NotPossibleError(f"{words}; write its labels out first")


def _is_same(old: object, new: object, was: str, now: str) -> bool:
    """Whether two trees differ in nothing but the name."""
    return all(
        a == b or (isinstance(a, str) and isinstance(b, str) and _swapped(a, b, was, now))
        for a, b in _leaves(old, new)
    )


def _swapped(a: str, b: str, was: str, now: str) -> bool:
    if nfc(a) == was:
        return nfc(b) == now
    # Within a string, where other words may be spelled the same.
    a, b = nfc(a), nfc(b)
    words = zip(_WORD.findall(a), _WORD.findall(b), strict=False)
    return _WORD.split(a) == _WORD.split(b) and all(
        x == y or (x, y) == (was, now) for x, y in words
    )


def _leaves(old: object, new: object) -> Iterator[tuple[object, object]]:
    if isinstance(old, dict) and isinstance(new, dict):
        if list(old) != list(new):
            yield old, new
        else:
            for key in old:
                yield from _leaves(old[key], new[key])
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield old, new
        else:
            for pair in zip(old, new, strict=True):
                yield from _leaves(*pair)
    else:
        yield old, new


def mentions_of(analysis: Analysis, offset: int) -> Sequence[Mention]:
    """Every mention of what stands at `offset`."""
    names = analysis.names()
    mention = names.at(offset)
    return [] if mention is None or mention.is_pattern else names.same(mention)
