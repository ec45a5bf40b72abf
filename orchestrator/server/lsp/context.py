"""What stands at a place of block text, however unfinished: which statement, property and value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from orchestrator.gmn.formats.block_nodes import KEYS_OF
from orchestrator.gmn.formats.blocktext import TYPE_ALIASES
from orchestrator.gmn.formats.candidates import Span
from orchestrator.gmn.formats.extents import pieces
from orchestrator.types.work import look

if TYPE_CHECKING:
    import re

Wants = Literal[
    "statement", "type", "name", "brace", "version", "key", "value", "string", "nothing"
]

_STARTS = ("node", "agent", "gmn", "end")
#: The fields of a statement that say which variables its labels are of.
_ABOUT = ("given", "of", "on")


@dataclass(frozen=True, slots=True)
class Context:
    """What would be read at an offset.

    Attributes:
        wants: what the language expects there; ``nothing`` in a comment.
        kind: canonical type of the statement around it, ``agent``, or empty.
        name: what the statement is called.
        path: the keys that lead to it, canonical at the top level.
        used: the keys that its block has already, as they are written.
        word: the word that stands there.
        about: the names in ``from``, ``to`` and ``on`` of the whole statement.
    """

    wants: Wants
    kind: str = ""
    path: tuple[str, ...] = ()
    used: frozenset[str] = frozenset()
    word: Span = field(default_factory=lambda: Span(0, 0))
    about: dict[str, list[str]] = field(default_factory=dict)
    name: str = ""

    @property
    def key(self) -> str:
        """The innermost key; empty at the top level."""
        return self.path[-1] if self.path else ""


@dataclass(slots=True)
class _Level:
    """An open bracket: in a block `key` is the one whose value comes next, if one does."""

    is_block: bool
    key: str = ""
    is_after_key: bool = False
    is_at_value: bool = False
    used: set[str] = field(default_factory=set)


def context_at(text: str, offset: int) -> Context:
    """What stands at `offset`, of which the word there is a part."""
    walk = _Walk(text)
    at: Context | None = None
    for count, piece in enumerate(pieces(text)):
        if not count % 64:
            look(64)
        if at is None and piece.end() >= offset:
            at = _found(walk, piece, offset)
            if at.wants == "nothing" or at.kind == "":
                return at
        if at is not None and walk.ends(piece):
            break
        walk.take(piece)
    if at is None:
        at = walk.context(Span(offset, offset))
    at.about.update(walk.about)
    return at


def _found(walk: _Walk, piece: re.Match[str], offset: int) -> Context:
    raw = piece.group()
    here = Span(offset, offset)
    if piece.lastgroup == "blank":
        is_comment = raw[0] in "#/" and piece.start() < offset
        return Context("nothing") if is_comment else walk.context(here)
    end = piece.start() + len(raw.rstrip(" \t"))
    if piece.lastgroup is None and raw[0] in "\"'":  # a string
        made = walk.context(Span(piece.start(), end))
        is_within = piece.start() < offset < end
        wants: Wants = "string" if is_within and made.wants == "value" else made.wants
        return replace(made, wants=wants)
    is_word = piece.lastgroup in (None, "word", "number", "share") and offset <= end
    if is_word and (piece.start() < offset or piece.start() == offset):
        return walk.context(Span(piece.start(), end))
    if piece.start() < offset:
        walk.take(piece)
    return walk.context(here)


@dataclass(slots=True)
class _Walk:
    """Reads tokens as the parser does, but never stops."""

    text: str
    head: list[str] = field(default_factory=list)
    levels: list[_Level] = field(default_factory=list)
    about: dict[str, list[str]] = field(default_factory=dict)
    seen: int = -1

    @property
    def kind(self) -> str:
        if self.head[:1] == ["agent"]:
            return "agent"
        word = self.head[1].lower() if len(self.head) > 1 else ""
        return TYPE_ALIASES.get(word, word)

    def ends(self, piece: re.Match[str]) -> bool:
        """Whether another statement begins here."""
        return piece.lastgroup == "word" and self._starts(piece, piece.group().rstrip(" \t"))

    def _starts(self, piece: re.Match[str], word: str) -> bool:
        if word not in _STARTS:
            return False
        before = self.text[self.text.rfind("\n", 0, piece.start()) + 1 : piece.start()]
        return not self.levels or (not before.strip() and word != "end")

    def take(self, piece: re.Match[str]) -> None:
        if piece.lastgroup == "blank" or piece.start() <= self.seen:
            return
        self.seen = piece.start()
        word = piece.group().rstrip(" \t")
        if piece.lastgroup == "word" and self._starts(piece, word):
            self.head, self.levels, self.about = [word], [], {}
        elif piece.lastgroup == "mark":
            self._mark(word[0])
        elif not self.levels:
            self.head.append(word)
        else:
            self._word(word)

    def _mark(self, mark: str) -> None:
        top = self.levels[-1] if self.levels else None
        if mark in "{[":
            if top and top.is_block and not top.is_at_value:
                top.is_at_value = top.is_after_key
            self.levels.append(_Level(mark == "{"))
        elif mark in "}]":
            if self.levels:
                self.levels.pop()
            if not self.levels:
                self.head = []
            elif self.levels[-1].is_block:
                self._close(self.levels[-1])
        elif mark == ":" and top and top.is_block and top.is_after_key:
            top.is_after_key, top.is_at_value = False, True

    def _word(self, word: str) -> None:
        top = self.levels[-1]
        if top.is_block and not top.is_at_value:
            top.key, top.is_after_key = word.strip("\"'"), True
            top.used.add(top.key)
            return
        path = self.path
        if len(path) == 1 and path[0] in _ABOUT:
            self.about.setdefault(path[0], []).append(word.strip("\"'"))
        if top.is_block:
            self._close(top)

    def _close(self, level: _Level) -> None:
        level.is_at_value = level.is_after_key = False

    @property
    def path(self) -> tuple[str, ...]:
        keys = [level.key for level in self.levels if level.is_block]
        if self.levels and self.levels[-1].is_block and not self.levels[-1].is_at_value:
            keys = keys[:-1]
        if keys:
            keys[0] = KEYS_OF.get(self.kind, {}).get(keys[0], keys[0])
        return tuple(keys)

    def context(self, word: Span) -> Context:
        if not self.levels:
            if self.head[:1] in (["node"], ["agent"]):
                expected: tuple[Wants, ...] = ("type", "name", "brace")
                place = len(self.head) - 1 + (self.head[0] == "agent")
                return Context(expected[min(place, 2)], self.kind, word=word)
            is_version = self.head == ["gmn"]
            return Context("version" if is_version else "statement", word=word)
        top = self.levels[-1]
        is_key = top.is_block and not top.is_at_value
        used = frozenset(top.used) if top.is_block else frozenset[str]()
        name = self.head[-1] if len(self.head) > 1 else ""
        wants: Wants = "key" if is_key else "value"
        return Context(wants, self.kind, self.path, used, word, name=name.strip("\"'"))
