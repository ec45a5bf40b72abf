"""Older spellings that are graphs: nodes and edges as JSON in two flavours, or as text sections.

All become one list of nodes and one of edges first, then a canonical tree. Matrices here are
outcome-first; where shape and sums prove another orientation, the proof wins.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.orientation import oriented

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.types.diagnostics import Diagnostic

Tree = dict[str, object]

_SIZES = {
    "state": ("num_states", "size"),
    "observation": ("num_observations", "size"),
    "action": ("num_actions", "size"),
}
_TABLES = ("matrix", "rows", "values", "probabilities", "vector")
_PRIORS = ("initial_distribution", "distribution", "vector", "values", "matrix")
_TYPES = (*_SIZES, "likelihood", "emission", "transition", "belief", "prior", "preference")
_PROPERTIES = frozenset(
    (*_TABLES, *_PRIORS, *(key for keys in _SIZES.values() for key in keys), "labels")
) | {f"{kind}s" for kind in _SIZES} | {
    "description", "from", "to", "of", "given", "on", "about", "state", "observation",
    "transition", "preferred_observation", "preference_strength",
}  # fmt: skip
_HEADER = re.compile(r"^[ \t]*+\[(nodes|edges)\][ \t]*+$", re.IGNORECASE | re.MULTILINE)
_NODE = re.compile(r"\s*+([A-Za-z_]\w*+)\s*+:\s*+([A-Za-z_]++)\s*+(?:(\{.*\})\s*+)?\Z", re.DOTALL)
_EDGE = re.compile(r"\s*+([A-Za-z_]\w*+)\s*+->\s*+([A-Za-z_]\w*+)\s*+(?::\s*+([A-Za-z_]++)\s*+)?\Z")
#: Nodes and edges, several times what any document within the limits needs.
MOST_PARTS = 2000


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its name, its type in lower case, its properties."""

    name: str
    type: str
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edge:
    """One arrow, as it was written."""

    source: str
    target: str
    type: str = ""


def is_graph(source: Mapping[str, object]) -> bool:
    """``{nodes: [...], edges: [...]}``; the edges may be missing."""
    nodes = source.get("nodes")
    return isinstance(nodes, list) and all(isinstance(node, dict) for node in nodes)


def is_sections(text: str) -> bool:
    """``[nodes]`` on a line of its own."""
    return any(match[1].lower() == "nodes" for match in _HEADER.finditer(text))


def read_graph(source: Mapping[str, object]) -> tuple[Tree | None, list[Diagnostic]]:
    """Nodes and edges as JSON; the tree is None when the graph holds no probabilities (806)."""
    nodes, edges = source.get("nodes"), source.get("edges")
    return _tree(
        [_node(node) for node in nodes] if isinstance(nodes, list) else [],
        [_edge(e) for e in edges if isinstance(e, dict)] if isinstance(edges, list) else [],
        source,
        "nodes/edges JSON",
    )


def read_sections(
    text: str, properties: Callable[[str], Mapping[str, object] | None]
) -> tuple[Tree | None, list[Diagnostic]]:
    """``[nodes]`` and ``[edges]`` sections; `properties` reads one ``{…}`` block of a node."""
    parts = _HEADER.split(text)
    bodies = {name.lower(): body for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    found: list[Diagnostic] = []
    nodes: list[Node] = []
    for entry in _entries(bodies.get("nodes", "")):
        match = _NODE.match(entry)
        block = properties(match[3]) if match and match[3] else {}
        if match is None or block is None:
            found.append(finding("GMN003", f"not a node: {entry.strip()[:60]!r}"))
        else:
            nodes.append(Node(match[1], match[2].lower(), block))
    edges: list[Edge] = []
    for entry in _entries(bodies.get("edges", "")):
        match = _EDGE.match(entry)
        if match is None:
            found.append(finding("GMN003", f"not an edge: {entry.strip()[:60]!r}"))
        else:
            edges.append(Edge(match[1], match[2], (match[3] or "").lower()))
    tree, more = _tree(nodes, edges, {}, "sections text")
    return tree, found + more


def _entries(body: str) -> list[str]:
    """One entry per line; a ``{`` left open goes on until it is closed."""
    entries: list[list[str]] = []
    depth = 0
    for raw in body.splitlines():
        line = raw.split("#", 1)[0].rstrip()
        if depth:
            entries[-1].append(line)
        elif line.strip():
            entries.append([line])
        depth = max(0, depth + line.count("{") - line.count("}"))
    return ["\n".join(lines) for lines in entries]


def _node(node: object) -> Node:
    fields = dict(node) if isinstance(node, dict) else {}
    name = fields.pop("name", None) or fields.pop("id", "")
    fields.pop("id", None)
    kind = fields.pop("type", "")
    inner = fields.pop("properties", None)
    return Node(
        str(name), str(kind).lower(), {**fields, **(inner if isinstance(inner, dict) else {})}
    )


def _edge(edge: Mapping[str, object]) -> Edge:
    source, target = (
        edge.get("source", edge.get("from", "")),
        edge.get("target", edge.get("to", "")),
    )
    return Edge(str(source), str(target), str(edge.get("type", "")).lower())


def _tree(
    nodes: Sequence[Node], edges: Sequence[Edge], source: Mapping[str, object], spelling: str
) -> tuple[Tree | None, list[Diagnostic]]:
    if len(nodes) + len(edges) > MOST_PARTS:
        words = f"{len(nodes)} nodes and {len(edges)} edges, more than {MOST_PARTS} of both"
        return None, [finding("GMN708", words, got=len(nodes) + len(edges), expected=MOST_PARTS)]
    graph = _Graph({node.name: node for node in nodes}, edges)
    found = [finding("GMN804", f"read as {spelling}, an older spelling")]
    if not any(key in node.properties for node in nodes for key in (*_TABLES, *_PRIORS)):
        words = "the graph names things but holds no probabilities; use it as a prompt"
        return None, [finding("GMN806", words)]
    tree: Tree = {"name": source.get("name", "agent"), "description": source.get("description", "")}
    for kind in ("state", "observation", "action"):
        tree[f"{kind}s"] = [_variable(node, kind) for node in graph.of_type(kind)]
    found += [unread for node in nodes for unread in _unread(node)]
    tree["likelihoods"] = graph.likelihoods(found)
    tree["transitions"] = graph.transitions(found)
    tree["priors"] = graph.priors()
    tree["preferences"] = graph.preferences()
    return tree, found


def _unread(node: Node) -> list[Diagnostic]:
    """What the reader leaves behind of one node."""
    if node.properties.get("data_type", node.type) == "continuous":
        return [finding("GMN802", f"{node.name} is continuous; only discrete models run")]
    if node.type not in _TYPES:
        words = (
            f"{node.name} ignored: of this older spelling nodes of type {node.type!r} are not read"
        )
        if node.properties:
            words += f", here with {', '.join(node.properties)}"
        if node.type == "policy":
            words += "; write them in a policy node of a GMN document"
        return [finding("GMN803", words, got=node.type)]
    return [
        finding("GMN803", f"property {key!r} of {node.name} ignored", got=key)
        for key in node.properties
        if key not in _PROPERTIES
    ]


def _variable(node: Node, kind: str) -> Tree:
    variable: Tree = {"name": node.name}
    labels = next(
        (v for k in ("labels", f"{kind}s") if isinstance(v := node.properties.get(k), list)), None
    )
    size = next((node.properties[k] for k in _SIZES[kind] if k in node.properties), None)
    if labels is not None:
        variable["labels"] = labels
    if size is not None:
        variable["size"] = size
    if labels is None and size is None and kind == "action":
        variable["size"] = 1  # the spelling's own default
    if isinstance(words := node.properties.get("description"), str):
        variable["description"] = words
    return variable


def _numbers(node: Node, keys: Sequence[str]) -> NDArray[np.float64] | None:
    value = next((node.properties[key] for key in keys if key in node.properties), None)
    if not isinstance(value, list):
        return None
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None  # ragged or symbolic: the table is missing, and 107 says so


class _Graph:
    """Nodes by name, and who is tied to whom."""

    def __init__(self, nodes: Mapping[str, Node], edges: Sequence[Edge]) -> None:
        self.nodes = nodes
        self.edges = edges
        self.tied: dict[str, set[str]] = defaultdict(set)
        for edge in edges:
            self.tied[edge.source].add(edge.target)
            self.tied[edge.target].add(edge.source)

    def of_type(self, *types: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.type in types]

    def neighbours(self, name: str, kind: str) -> list[str]:
        """Tied variables of one kind, in declaration order, each once."""
        return [n.name for n in self.of_type(kind) if n.name in self.tied[name]]

    def size(self, name: str) -> int:
        node = self.nodes[name]
        variable = _variable(node, node.type)
        labels, size = variable.get("labels"), variable.get("size")
        return len(labels) if isinstance(labels, list) else size if isinstance(size, int) else 0

    def likelihoods(self, found: list[Diagnostic]) -> list[Tree]:
        made = []
        for node in [*self.of_type("likelihood", "emission"), *self.of_type("observation")]:
            array = _numbers(node, _TABLES)
            targets = (
                [node.name]
                if node.type == "observation"
                else self._named(node, ("to", "of")) or self.neighbours(node.name, "observation")
            )
            if array is None or not targets:
                continue
            parents = self._named(node, ("from", "given")) or self._parents(
                node.name, targets[0], "state"
            )
            made.append(self._conditional(targets[0], parents, array, found))
            self._tell_direction(targets[0], parents, found)
        return made

    def transitions(self, found: list[Diagnostic]) -> list[Tree]:
        made = []
        for node in [*self.of_type("transition"), *self.of_type("state")]:
            array = _numbers(
                node, ("transition", *_TABLES[:1]) if node.type == "state" else _TABLES
            )
            targets = (
                [node.name]
                if node.type == "state"
                else self._named(node, ("to", "of")) or self.neighbours(node.name, "state")
            )
            if array is None or not targets:
                continue
            of = targets[0]
            actions = self._parents(node.name, of, "action") if array.ndim > 2 else []
            made.append(self._conditional(of, [of, *actions], array, found))
        return made

    def priors(self) -> list[Tree]:
        made: dict[str, Tree] = {}
        for node in [*self.of_type("belief", "prior"), *self.of_type("state")]:
            about = (
                [node.name]
                if node.type == "state"
                else self._named(node, ("about", "state", "of"))
                or self.neighbours(node.name, "state")
            )
            keys = _PRIORS[:1] if node.type == "state" else _PRIORS
            array = _numbers(node, keys)
            if array is not None and about and about[0] not in made:
                rows = [array.ravel().tolist()]
                made[about[0]] = {"of": about[0], "table": {"kind": "rows", "rows": rows}}
        return list(made.values())

    def preferences(self) -> list[Tree]:
        made: list[Tree] = []
        for node in self.of_type("preference"):
            on = (
                self._named(node, ("on", "observation", "about", "state"))
                or self.neighbours(node.name, "observation")
                or self.neighbours(node.name, "state")
            )
            array = _numbers(node, ("vector", "values", "matrix"))
            liked = node.properties.get("preferred_observation")
            if on and array is not None:
                made.append({"on": on[0], "values": array.ravel().tolist()})
            elif on and liked is not None:
                strength = node.properties.get("preference_strength", 1.0)
                made.append({"on": on[0], "goals": [{"value": str(liked), "utility": strength}]})
        return made

    def _named(self, node: Node, keys: Sequence[str]) -> list[str]:
        value = next((node.properties[key] for key in keys if key in node.properties), [])
        names = value if isinstance(value, list) else [value]
        return [str(name) for name in names if str(name) in self.nodes]

    def _parents(self, via: str, of: str, kind: str) -> list[str]:
        """Variables tied to the table's node or to the variable it is about."""
        tied = {*self.tied[via], *self.tied[of]}
        near = [node.name for node in self.of_type(kind) if node.name in tied]
        every = [node.name for node in self.of_type(kind)]
        return near or (every if len(every) == 1 else [])

    def _conditional(
        self, of: str, given: Sequence[str], array: NDArray[np.float64], found: list[Diagnostic]
    ) -> Tree:
        sizes = [self.size(name) for name in (*given, of)]
        # Outcome first is this spelling's convention: the last wanted axis stands first.
        outcome_first = (*range(1, len(sizes)), 0)
        proof = oriented(array, sizes, prefer=outcome_first)
        table = array if proof is None else proof.array
        if proof is not None and proof.is_ambiguous:
            code = "GMN216" if array.ndim == 2 else "GMN801"
            found.append(
                finding(
                    code,
                    f"{of}: its axes can be read in {len(proof.orders)} ways; outcome first used",
                )
            )
        rows = table.reshape(-1, table.shape[-1]) if table.ndim else table
        return {"of": of, "given": list(given), "table": {"kind": "rows", "rows": rows.tolist()}}

    def _tell_direction(self, of: str, parents: Sequence[str], found: list[Diagnostic]) -> None:
        found.extend(
            finding(
                "GMN805",
                f"edge {edge.source} -> {edge.target} read the other way round:"
                f" observation {of} depends on states",
            )
            for edge in self.edges
            if edge.source == of and edge.target in parents and edge.type != "depends_on"
        )
