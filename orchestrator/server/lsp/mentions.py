"""Where a document names its variables and their labels: what is renamed, explained and found."""

from __future__ import annotations

import fnmatch
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from orchestrator.gmn.formats.candidates import Span
from orchestrator.gmn.formats.extents import end_of
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.gmn.model import PLACEHOLDER, Variable, nfc
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.gmn.formats import Reading

SECTIONS = {"states": "state", "observations": "observation", "actions": "action"}
_TABLES = ("likelihoods", "transitions", "priors")
#: ``name=label|label`` in an expectation.
_CLAIM = re.compile(r"(?<!\w)([^\W\d]\w*+)\s*=\s*([^\s=;\"']+(?:\s*\|\s*[^\s=;\"']+)*)")


class Mention(NamedTuple):
    """One place that names a variable, or a label of it.

    Attributes:
        label: empty where the variable itself is meant.
        span: the name in the text, its quotes included.
        is_inside: whether it stands within a string, where it is never quoted.
        is_pattern: whether it is a glob over labels.
        is_declaration: whether it says that there is such a variable or label.
    """

    variable: str
    label: str
    span: Span
    is_inside: bool = False
    is_pattern: bool = False
    is_declaration: bool = False


@dataclass(slots=True)
class Symbols:
    """What a text declares, and every place that speaks of it.

    Attributes:
        kinds: state, observation or action, by the name of a variable.
        variables: those whose declaration can be read and that are not too large, by name.
        mentions: every place, in the order of the text.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    mentions: list[Mention] = field(default_factory=list)

    def at(self, offset: int) -> Mention | None:
        """The mention that stands there."""
        return next((m for m in self.mentions if m.span.start <= offset <= m.span.end), None)

    def same(self, mention: Mention) -> list[Mention]:
        """Every mention of the same variable or label, globs left out."""
        wanted = (mention.variable, mention.label)
        return [m for m in self.mentions if (m.variable, m.label) == wanted and not m.is_pattern]


def names_in(reading: Reading) -> Symbols:
    """The names of a text that was read; none where its places are not known."""
    found = Symbols()
    tree = reading.tree or {}
    for section, kind in SECTIONS.items():
        for entry in _entries(tree, section):
            name = entry.get("name")
            if not isinstance(name, str):
                continue
            found.kinds.setdefault(nfc(name), kind)
            try:
                known = {k: v for k, v in entry.items() if k in Variable.model_fields}
                variable = Variable.model_validate(known)
            except ValidationError:  # half typed
                continue
            if max(variable.n, math.prod(variable.shape)) <= HARD_LIMITS.variable_size:
                found.variables.setdefault(variable.name, variable)
    if reading.places.text:
        walk = _Walk(reading, found)
        found.mentions = sorted(
            (m for part in (walk.variables, walk.tables, walk.wishes, walk.others) for m in part()),
            key=lambda m: m.span,
        )
    return found


@dataclass(frozen=True, slots=True)
class _Walk:
    """Goes through a tree in its canonical keys, and leaves out what is spelled otherwise."""

    reading: Reading
    names: Symbols

    @property
    def tree(self) -> Mapping[str, object]:
        return self.reading.tree or {}

    def variables(self) -> Iterator[Mention]:
        for section in SECTIONS:
            for i, entry in enumerate(_entries(self.tree, section)):
                name, at = _text(entry.get("name")), f"/{section}/{i}"
                yield from self._named(name, f"{at}/name", is_declaration=True)
                for j, label in enumerate(_list(entry.get("labels"))):
                    where = f"{at}/labels/{j}"
                    yield from self._labelled(name, label, where, is_declaration=True)
                for j, label in enumerate(_list(entry.get("terminal"))):
                    yield from self._labelled(name, label, f"{at}/terminal/{j}")

    def tables(self) -> Iterator[Mention]:
        for section in _TABLES:
            for i, entry in enumerate(_entries(self.tree, section)):
                at, of = f"/{section}/{i}", _text(entry.get("of"))
                given = [_text(one) for one in _list(entry.get("given"))]
                yield from self._named(of, f"{at}/of")
                for j, name in enumerate(given):
                    yield from self._named(name, f"{at}/given/{j}")
                table = entry.get("table")
                if isinstance(table, dict):
                    yield from self._table(table, f"{at}/table", of, given)

    def _table(
        self, table: Mapping[str, object], at: str, of: str, given: list[str]
    ) -> Iterator[Mention]:
        for key in ("map", "blocked"):
            for j, label in enumerate(_list(table.get(key))):
                yield from self._labelled(of, label, f"{at}/{key}/{j}")
        acting = [name for name in given if self.names.kinds.get(name) == "action"]
        for j, move in enumerate(_entries(table, "moves")):
            if len(acting) == 1:
                yield from self._labelled(acting[0], move.get("action"), f"{at}/moves/{j}/action")
        for j, row in enumerate(_list(table.get("sparse"))):
            for k, label in enumerate(_list(row)[:-1]):
                columns = [*given, of]
                if k < len(columns):
                    yield from self._labelled(columns[k], label, f"{at}/sparse/{j}/{k}")
        yield from self._rules(table, at, of)

    def _rules(self, holder: Mapping[str, object], at: str, of: str) -> Iterator[Mention]:
        for r, rule in enumerate(_entries(holder, "rules")):
            for c, condition in enumerate(_entries(rule, "when")):
                where, name = f"{at}/rules/{r}/when/{c}", _text(condition.get("var"))
                yield from self._named(name, f"{where}/var")
                for v, label in enumerate(_list(condition.get("values"))):
                    yield from self._labelled(name, label, f"{where}/values/{v}")
            for o, outcome in enumerate(_entries(rule, "then")):
                where = f"{at}/rules/{r}/then/{o}/value"
                yield from self._labelled(of, outcome.get("value"), where)

    def wishes(self) -> Iterator[Mention]:
        for i, entry in enumerate(_entries(self.tree, "preferences")):
            at, on = f"/preferences/{i}", entry.get("on")
            about = [_text(one) for one in (on if isinstance(on, list) else [on])]
            for j, name in enumerate(about):
                is_list = f"{at}/on/{j}" in self.reading.places.offsets
                yield from self._named(name, f"{at}/on/{j}" if is_list else f"{at}/on")
            for j, one in enumerate(_list(entry.get("given"))):
                yield from self._named(_text(one), f"{at}/given/{j}")
            target = about[0] if about else ""
            for j, goal in enumerate(_entries(entry, "goals")):
                yield from self._labelled(target, goal.get("value"), f"{at}/goals/{j}/value")
            gradient = entry.get("goal_gradient")
            if isinstance(gradient, dict):
                where = f"{at}/goal_gradient/goal"
                yield from self._labelled(target, gradient.get("goal"), where)
            for j, one in enumerate(_entries(entry, "goal_gradient")):
                yield from self._labelled(target, one.get("goal"), f"{at}/goal_gradient/{j}/goal")
            yield from self._rules(entry, at, target)

    def others(self) -> Iterator[Mention]:
        for i, habit in enumerate(_entries(self.tree, "habits")):
            yield from self._named(_text(habit.get("action")), f"/habits/{i}/action")
        for i, query in enumerate(_entries(self.tree, "queries")):
            for j, name in enumerate(_list(query.get("inputs"))):
                yield from self._named(_text(name), f"/queries/{i}/inputs/{j}")
            yield from self._named(_text(query.get("target")), f"/queries/{i}/target")
            yield from self._in_string(f"/queries/{i}/prompt", PLACEHOLDER)
        for i, entry in enumerate(_entries(self.tree, "metadata")):
            if entry.get("key") == "expect":
                yield from self._in_string(f"/metadata/{i}/value", _CLAIM)

    def _in_string(self, pointer: str, form: re.Pattern[str]) -> Iterator[Mention]:
        """Symbols within a string, as it is written: those that need an escape are left out."""
        text, offset = self.reading.places.text, self.reading.places.offsets.get(pointer)
        if offset is None:
            return
        for match in form.finditer(text, offset, end_of(text, offset)):
            name = nfc(match[1])
            if name not in self.names.kinds:
                continue
            yield Mention(name, "", Span(*match.span(1)), is_inside=True)
            start = match.start(2) if form is _CLAIM else 0
            for label in re.finditer(r"[^\s|]+", match[2]) if form is _CLAIM else ():
                span = Span(start + label.start(), start + label.end())
                yield self._label(name, label[0], span)._replace(is_inside=True)

    def _named(self, name: str, pointer: str, *, is_declaration: bool = False) -> Iterator[Mention]:
        if name and (span := self._span(pointer)):
            yield Mention(nfc(name), "", span, is_declaration=is_declaration)

    def _labelled(
        self, variable: str, label: object, pointer: str, *, is_declaration: bool = False
    ) -> Iterator[Mention]:
        text = str(label) if isinstance(label, str | int) else ""
        if not text or text.startswith("@") or not (span := self._span(pointer)):
            return
        yield self._label(nfc(variable), text, span)._replace(is_declaration=is_declaration)

    def _label(self, variable: str, text: str, span: Span) -> Mention:
        """A label, or a pattern where the variable has none of that very name."""
        known = self.names.variables.get(variable)
        label = nfc(text)
        is_pattern = "*" in label and not (known and label in known.names)
        return Mention(variable, label, span, is_pattern=is_pattern)

    def _span(self, pointer: str) -> Span | None:
        look()
        offset = self.reading.places.offsets.get(pointer)
        if offset is None:
            return None
        text = self.reading.places.text
        end = end_of(text, offset)
        return None if end == offset or text[offset] in "[{" else Span(offset, end)


def matches(pattern: str, label: str) -> bool:
    """Whether a glob stands for a label; only ``*`` is special."""
    return fnmatch.fnmatchcase(label, pattern.replace("[", "[[]").replace("?", "[?]"))


def _entries(tree: Mapping[str, object], key: str) -> list[dict[str, object]]:
    value = tree.get(key)
    items = value if isinstance(value, list) else []
    return [item if isinstance(item, dict) else {} for item in items]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return nfc(value) if isinstance(value, str) else ""
