"""The graph of a model as a Mermaid flowchart, for pages that draw Mermaid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.draw.graph import KINDS, MOST_NODES, edges, facts
from orchestrator.types.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.gmn.model import GMNSpec, Variable, VariableKind

#: Characters that mean nothing to Mermaid and to HTML; others are written as their number.
_PLAIN = frozenset(" abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,:+")
_MOST_CHARACTERS = 60
_SHAPES = {"action": ('>"', '"]'), "state": ('(["', '"])'), "observation": ('["', '"]')}


def mermaid(spec: GMNSpec) -> str:
    """Actions, hidden states and observations as nodes, and what depends on what as edges."""
    return "\n".join([*_lines(spec), ""])


def _lines(spec: GMNSpec) -> Iterator[str]:
    yield "flowchart LR"
    ids: dict[str, str] = {}
    sections: dict[VariableKind, tuple[Variable, ...]] = {
        "action": spec.actions,
        "state": spec.states,
        "observation": spec.observations,
    }
    for kind, variables in sections.items():
        if not variables:
            continue
        yield f'  subgraph {kind}s["{KINDS[kind]}"]'
        begin, end = _SHAPES[kind]
        for i, variable in enumerate(variables[:MOST_NODES]):
            ids.setdefault(variable.name, f"{kind}{i}")
            words = "<br>".join(map(_escaped, [variable.name, *facts(spec, variable)]))
            yield f"    {kind}{i}{begin}{words}{end}"
        yield "  end"
        if left := len(variables) - MOST_NODES:
            yield from (f"  %% {left} more are left out",) if left > 0 else ()
    for parent, child, _ in edges(spec):
        if parent in ids and child in ids:
            yield f"  {ids[parent]} --> {ids[child]}"


def _escaped(words: str) -> str:
    shown = visible(words)
    shown = shown if len(shown) <= _MOST_CHARACTERS else f"{shown[: _MOST_CHARACTERS - 1]}…"
    return "".join(c if c in _PLAIN else f"#{ord(c)};" for c in shown)
