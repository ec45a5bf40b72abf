"""The graph of a model: actions, hidden states and observations, and their edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from orchestrator.gmn.draw.layout import WIDTH, Panel, paragraph, stacked
from orchestrator.gmn.draw.scene import Box, Curve, Group, TextLine, cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.gmn.draw.scene import Part, Role
    from orchestrator.gmn.model import GMNSpec, Variable, VariableKind

#: The most variables of one kind that are drawn.
MOST_NODES = 32
_MOST_CHARACTERS = 200  # of a name, for programs
_NODE, _LINE, _GAP = 226.0, 16.0, 30.0
_NAME_SIZE, _SIZE = 13.0, 10.5
_TOP = 30.0  # the headings of the columns
KINDS: dict[VariableKind, str] = {
    "action": "actions",
    "state": "hidden states",
    "observation": "observations",
}
_ROLES: dict[VariableKind, Role] = {
    "action": "action",
    "state": "state",
    "observation": "observation",
}


@dataclass(frozen=True, slots=True)
class _Node:
    """A variable and its place."""

    variable: Variable
    kind: VariableKind
    lines: tuple[str, ...]
    x: float
    y: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def edges(spec: GMNSpec) -> Iterator[tuple[str, str, Literal["transition", "likelihood"]]]:
    """What depends on what: parent, child, and by which table; each pair once."""
    seen = set()
    for kind, tables in (("transition", spec.transitions), ("likelihood", spec.likelihoods)):
        for table in tables:
            for parent in table.given:
                if (parent, table.of) not in seen:
                    seen.add((parent, table.of))
                    yield parent, table.of, "transition" if kind == "transition" else "likelihood"


def facts(spec: GMNSpec, variable: Variable) -> Iterator[str]:
    """What a node says below its name: its values, what is preferred, where it ends."""
    shape = " x ".join(map(str, variable.shape))
    if len(variable.shape) > 1:
        yield f"{shape} grid, {variable.n:,} values"
    elif variable.labels:
        yield f"{variable.n}: {', '.join(variable.labels[:12])}"
    else:
        yield f"{variable.n:,} values"
    yield from _marks(spec, variable)


def _marks(spec: GMNSpec, variable: Variable) -> Iterator[str]:
    about = [p for p in spec.preferences if p.on == variable.name]
    if best := [label for p in about for label in _best(p.goals, p.values, variable)]:
        yield f"prefers {', '.join(best[:3])}"
    elif any(variable.name in p.names for p in spec.preferences):
        yield "has a utility"
    if variable.terminal:
        yield f"ends at {', '.join(variable.terminal[:3])}"
    if any(t.learn and t.of == variable.name for t in (*spec.transitions, *spec.likelihoods)):
        yield "learns"


def _best(goals: Sequence[object], values: Sequence[float], variable: Variable) -> list[str]:
    """The labels that a preference gives most, where it lists them."""
    named = [(g.utility, g.value) for g in goals]  # type: ignore[attr-defined]
    if variable.labels and len(values) == len(variable.labels):
        named += list(zip(values, variable.labels, strict=True))
    most = max((utility for utility, _ in named), default=0.0)
    return [label for utility, label in named if utility == most > 0]


def graph(spec: GMNSpec) -> Panel:
    """The graph; what is left out of it is said below."""
    columns = _columns(spec)
    height = max((_height(nodes) for nodes in columns.values()), default=0.0)
    nodes: dict[str, _Node] = {}
    parts: list[Part] = []
    step = (WIDTH - _NODE) / max(1, len(columns) - 1)
    for i, (kind, column) in enumerate(columns.items()):
        x = i * step
        parts.append(TextLine(x, 11, KINDS[kind], "muted", 11.0, is_bold=True))
        y = _TOP + (height - _height(column)) / 2
        for variable, lines in column:
            tall = _tall(lines)
            nodes.setdefault(variable.name, _Node(variable, kind, lines, x, y, tall))
            y += tall + _GAP
    parts += _drawn_edges(spec, nodes)
    parts += [_drawn(node) for node in nodes.values()]
    whole = Panel(WIDTH, _TOP + height, tuple(parts))
    left = sum(1 for _ in spec.variables()) - sum(map(len, columns.values()))
    notes = [paragraph(f"{left} more variables are left out of the graph")] if left > 0 else []
    return stacked([whole, *notes], 10.0)


Column = list[tuple["Variable", tuple[str, ...]]]


def _columns(spec: GMNSpec) -> dict[VariableKind, Column]:
    sections: dict[VariableKind, Sequence[Variable]] = {
        "action": spec.actions,
        "state": spec.states,
        "observation": spec.observations,
    }
    place = {v.name: float(i) for i, v in enumerate(spec.states)}
    near: dict[str, list[float]] = {}
    for parent, child, _ in edges(spec):
        if parent in place:
            near.setdefault(child, []).append(place[parent])
        if child in place:
            near.setdefault(parent, []).append(place[child])
    made: dict[VariableKind, Column] = {}
    for kind, variables in sections.items():
        ordered = list(variables)
        if kind != "state":  # beside the states that they meet, so that fewer edges cross
            ordered.sort(key=lambda v: _mean(near, v.name, len(place)))
        if ordered:
            kept = ordered[:MOST_NODES]
            made[kind] = [(v, tuple(facts(spec, v))) for v in kept]
    return made


def _mean(near: Mapping[str, Sequence[float]], name: str, otherwise: int) -> float:
    found = near.get(name, ())
    return sum(found) / len(found) if found else otherwise


def _tall(lines: Sequence[str]) -> float:
    return 32.0 + _LINE * len(lines)


def _height(column: Column) -> float:
    return sum(_tall(lines) + _GAP for _, lines in column) - _GAP


def _drawn(node: _Node) -> Group:
    role, room = _ROLES[node.kind], _NODE - 28
    name = cut(node.variable.name, room, _NAME_SIZE, is_bold=True)
    parts: list[Part] = [
        Box(0, 0, _NODE, node.height, "paper", radius=8),
        Box(0, 0, _NODE, node.height, role, 0.08, 1.4, radius=8),
        TextLine(14, 22, name, "ink", _NAME_SIZE, is_bold=True),
    ]
    for i, words in enumerate(node.lines):
        said: Role = "muted" if i == 0 else role
        parts.append(TextLine(14, 39 + i * _LINE, cut(words, room, _SIZE), said, _SIZE))
    said_whole = ". ".join(
        [f"{node.kind} {node.variable.name}", node.variable.description[:300], *node.lines]
    )
    data = (("name", node.variable.name[:_MOST_CHARACTERS]), ("kind", node.kind))
    return Group(node.x, node.y, tuple(parts), said_whole[:600], data)


def _drawn_edges(spec: GMNSpec, nodes: Mapping[str, _Node]) -> Iterator[Part]:
    for parent, child, kind in edges(spec):
        if parent in nodes and child in nodes:
            source, target = nodes[parent], nodes[child]
            role = _ROLES[source.kind]
            parts = (
                _loop(source, role)
                if parent == child
                else _beside(source, target, role)
                if source.kind == target.kind
                else _across(source, target, role)
            )
            words = f"{child} depends on {parent} ({kind})"
            ends = (("from", parent[:_MOST_CHARACTERS]), ("to", child[:_MOST_CHARACTERS]))
            yield Group(0, 0, tuple(parts), words[:600], ends)


def _across(source: _Node, target: _Node, role: Role) -> Iterator[Part]:
    forward = source.x < target.x
    x0, x1 = (source.x + _NODE, target.x) if forward else (source.x, target.x + _NODE)
    y0, y1 = source.middle, target.middle
    bend = (x1 - x0) * 0.5
    back = -7.0 if forward else 7.0
    yield Curve((x0, y0), ((x0 + bend, y0, x1 - bend, y1, x1 + back, y1),), role, 1.4, 0.75)
    yield _head(x1, y1, back, role)


def _beside(source: _Node, target: _Node, role: Role) -> Iterator[Part]:
    """Between two variables of one column, on its left."""
    y0, y1 = source.y + 14, target.y + target.height - 14
    x = source.x
    bulge = min(72.0, 26 + abs(y1 - y0) * 0.14)
    yield Curve((x, y0), ((x - bulge, y0, x - bulge, y1, x - 7, y1),), role, 1.4, 0.75)
    yield _head(x, y1, -7.0, role)


def _loop(node: _Node, role: Role) -> Iterator[Part]:
    """From the next value back to the one before, above the node."""
    x, y = node.x + _NODE - 50, node.y
    yield Curve((x, y), ((x, y - 22, x + 26, y - 22, x + 26, y - 7),), role, 1.4, 0.75)
    yield Curve((x + 26, y), ((x + 22, y - 8), (x + 30, y - 8)), role, 0.0)


def _head(x: float, y: float, back: float, role: Role) -> Curve:
    return Curve((x, y), ((x + back * 1.1, y - 4), (x + back * 1.1, y + 4)), role, 0.0)
