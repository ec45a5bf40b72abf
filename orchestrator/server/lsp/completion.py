"""What can be written at a place of block text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from orchestrator.gmn.formats.block_nodes import KEYS_OF
from orchestrator.gmn.formats.write import word_of
from orchestrator.gmn.model import VERSION
from orchestrator.server.lsp import meanings
from orchestrator.server.lsp.context import context_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.gmn.formats.candidates import Span
    from orchestrator.server.lsp.analysis import Analysis
    from orchestrator.server.lsp.context import Context
    from orchestrator.server.lsp.mentions import Symbols

Kind = Literal["keyword", "property", "variable", "label", "value", "name"]
MOST = 600  # a variable has at most 512 labels

_PREFIXES = {"emission": "A", "transition": "B", "belief": "D", "preference": "C"}
#: The kinds of variables that a property names, by type of node and canonical key.
_VARIABLES = {
    ("emission", "given"): ("state",), ("transition", "given"): ("action", "state"),
    ("emission", "of"): ("observation",), ("transition", "of"): ("state",),
    ("belief", "of"): ("state",), ("belief", "given"): ("state",),
    ("preference", "on"): ("observation", "state", "action"),
    ("preference", "given"): ("state", "action"),
    ("llm_query", "inputs"): ("observation", "state", "action"),
    ("llm_query", "target"): ("observation", "state", "action"),
    ("policy", "habit"): ("action",),
}  # fmt: skip
#: Properties whose values are labels of what the table or the preference is about.
_LABELS = frozenset({"map", "blocked", "goals", "preferred_observation"})


class Suggestion(NamedTuple):
    """One thing that can be written.

    Attributes:
        text: what is inserted.
        shown: what it is called in the list.
    """

    text: str
    shown: str
    kind: Kind
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What fits, and the word that it stands in place of."""

    word: Span
    items: tuple[Suggestion, ...] = ()


def complete(analysis: Analysis, offset: int) -> Suggestions:
    """What can be written at `offset`; nothing in comments, in strings and in other formats."""
    body = analysis.body
    at = context_at(body, offset)
    word = at.word._replace(end=max(offset, at.word.start))
    if analysis.is_too_large or not analysis.is_block_text:
        return Suggestions(word)
    there = body[at.word.start : at.word.end].strip("\"'")
    if there in (named := at.about.get(at.key, [])):  # what is being typed may be offered again
        named.remove(there)
    found = list(_suggested(at, analysis.names()))[:MOST]
    if body[word.start : word.start + 1] in ("'", '"'):  # quotes are part of the word
        word = at.word
    return Suggestions(word, tuple(found))


def _suggested(at: Context, names: Symbols) -> Iterator[Suggestion]:
    if at.wants == "statement":
        for word, meaning in meanings.STATEMENTS.items():
            yield Suggestion("gmn " + VERSION if word == "gmn" else word, word, "keyword", meaning)
    elif at.wants == "version":
        yield Suggestion(VERSION, VERSION, "value")
    elif at.wants == "type":
        for word, meaning in meanings.NODES.items():
            yield Suggestion(word, word, "keyword", meaning)
    elif at.wants == "name":
        yield from _node_names(at, names)
    elif at.wants == "key":
        yield from _keys(at, names)
    elif at.wants == "value":
        yield from _values(at, names)


def _node_names(at: Context, names: Symbols) -> Iterator[Suggestion]:
    if at.kind == "policy":
        yield Suggestion("pi", "pi", "name")
    key = "on" if at.kind == "preference" else "of"
    for kind in _VARIABLES.get((at.kind, key), ()):
        for name, known in names.kinds.items():
            if known == kind and at.kind in _PREFIXES:
                text = f"{_PREFIXES[at.kind]}_{name}"
                yield Suggestion(text, text, "name", f"about the {kind} {name}")


def _keys(at: Context, names: Symbols) -> Iterator[Suggestion]:
    if not at.path or at.path == ("grid",) or at.path == ("shift",):
        known = meanings.PROPERTIES.get(at.kind, {})
        spelled = meanings.SPELLED.get(at.kind, {})
        taken = {KEYS_OF.get(at.kind, {}).get(word) for word in at.used}
        for key, meaning in known.items():
            if key not in taken and key not in meanings.OLD:
                word = spelled.get(key, key)
                text = word if key in meanings.FLAGS else f"{word}: "
                yield Suggestion(text, word, "property", meaning)
    elif at.key in meanings.INNER:
        for key, meaning in meanings.INNER[at.key].items():
            is_of_tables = at.kind != "preference"
            if key not in at.used and key != ("utility" if is_of_tables else "then"):
                yield Suggestion(f"{key}: ", key, "property", meaning)
    elif at.key in ("when", "habit"):
        of = at.about.get("given", []) + at.about.get("on", []) if at.key == "when" else names.kinds
        wanted = [name for name in of if at.key == "when" or names.kinds.get(name) == "action"]
        yield from _variables(wanted, names, at.used, ": ")
    else:
        yield from _labels(_owner(at, names), names, at.used, ": ")
        yield from _steps(at)


def _values(at: Context, names: Symbols) -> Iterator[Suggestion]:
    if at.key in meanings.VALUES and len(at.path) == 1:
        for word in meanings.VALUES[at.key]:
            yield Suggestion(word, word, "value")
        return
    kinds = _VARIABLES.get((at.kind, at.key), ())
    if kinds and len(at.path) == 1:
        wanted = [n for kind in kinds for n, known in names.kinds.items() if known == kind]
        yield from _variables(wanted, names, at.about.get(at.key, []))
        return
    if at.key == "initial":
        yield Suggestion("uniform", "uniform", "value", "Every label is equally likely.")
    yield from _labels(_owner(at, names), names)
    if at.key == "then":
        yield from _steps(at)


def _owner(at: Context, names: Symbols) -> str:
    """The variable whose labels stand there; empty where none do."""
    about, path = at.about, at.path
    of = next(iter(about.get("of", []) + about.get("on", [])), "")
    if len(path) > 1 and path[-2] == "when":
        return path[-1]
    if at.kind in ("state", "observation", "action"):
        return at.name if path in (("terminal",), ("initial",)) else ""
    if path[-1:] == ("moves",):
        return next((n for n in about.get("given", []) if names.kinds.get(n) == "action"), "")
    is_label = path[-1:] in (("then",), ("goal",)) or (len(path) == 1 and path[0] in _LABELS)
    return of if is_label else ""


def _steps(at: Context) -> Iterator[Suggestion]:
    if at.key == "then" and set(at.about.get("of", [])) & set(at.about.get("given", [])):
        yield Suggestion("@stay: ", "@stay", "value", "The previous value.")


def _variables(
    wanted: Iterable[str], names: Symbols, used: Iterable[str] = (), after: str = ""
) -> Iterator[Suggestion]:
    for name in dict.fromkeys(wanted):
        if name not in used and name in names.kinds:
            yield Suggestion(word_of(name) + after, name, "variable", names.kinds[name])


def _labels(
    owner: str, names: Symbols, used: Iterable[str] = (), after: str = ""
) -> Iterator[Suggestion]:
    variable = names.variables.get(owner)
    for label in variable.names[:MOST] if variable and variable.n <= MOST else ():
        if label not in used:
            words = f"{names.kinds[owner]} {owner}"
            yield Suggestion(word_of(label) + after, label, "label", words)
