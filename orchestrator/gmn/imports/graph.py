"""Graphs of nodes and edges: as JSON in two flavours, and the tree that `sections` shares.

``{id, type, properties}`` with ``{source, target, type}``, or flat ``{name, type, …}`` with
``{from, to, type}``. Matrices are outcome-first; where shape and sums prove another orientation,
the proof wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding
from orchestrator.gmn.imports.imported import AS_PROMPT, Imported, from_json, imported
from orchestrator.gmn.imports.network import (
    EFFECTS,
    PARENTS,
    POLICY,
    PRIORS,
    QUERY,
    SIZES,
    STRENGTHS,
    TABLES,
    UTILITIES,
    Edge,
    Network,
    Node,
)
from orchestrator.gmn.imports.numbers import conditional, orders, outcome_last

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orchestrator.gmn.imports.numbers import Array
    from orchestrator.types.diagnostics import Diagnostic

Tree = dict[str, object]

_WRONG = ("GMN310", "GMN802")  # that there is no table has another cause then
#: Nodes and edges, several times what any document within the limits needs.
MOST_PARTS = 2000


def read(text: str) -> Imported:
    """Read a JSON text that holds a graph."""
    return from_json(text, read_data)


def read_data(source: Mapping[str, object]) -> Imported:
    """Read nodes and edges as JSON."""
    nodes, edges = source.get("nodes"), source.get("edges", source.get("links"))
    if isinstance(nodes, dict):  # by name
        nodes = [{"name": name, **n} for name, n in nodes.items() if isinstance(n, dict)]
    made = tree_of(
        [_node(node, f"/nodes/{i}") for i, node in enumerate(_dicts(nodes))],
        [_edge(edge, f"/edges/{i}") for i, edge in enumerate(_dicts(edges))],
        source,
        "a graph of nodes and edges in JSON",
    )
    return imported(*made)


_TYPE = ("type", "node_type", "kind")
_INSIDE = ("properties", "attributes", "params", "parameters")


def _dicts(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _node(node: Mapping[str, object], origin: str) -> Node:
    fields = dict(node)
    name = fields.pop("id", None)
    is_flat = not any(key in node for key in _INSIDE)
    name = fields.pop("name", None) if name is None or is_flat else name
    name = fields.pop("id", node.get("id", "")) if name is None else name
    kind = next((fields.pop(key) for key in _TYPE if key in fields), "")
    for key in _INSIDE:
        if isinstance(inner := fields.get(key), dict):
            fields = {**{k: v for k, v in fields.items() if k != key}, **inner}
            break
    properties = fields
    properties.pop("name", None)
    return Node(str(name), str(kind).lower(), properties, origin)


def _edge(edge: Mapping[str, object], origin: str) -> Edge:
    source = edge.get("source", edge.get("from", ""))
    target = edge.get("target", edge.get("to", ""))
    return Edge(str(source), str(target), str(edge.get("type", "")).lower(), origin)


def tree_of(
    nodes: Sequence[Node], edges: Sequence[Edge], source: Mapping[str, object], spelling: str
) -> tuple[Tree | None, list[Diagnostic], dict[str, str], dict[str, str]]:
    """A canonical tree, what was found, where each part of it stands, and what its node is called.

    The tree is None where the graph holds no probabilities (806).
    """
    if len(nodes) + len(edges) > MOST_PARTS:
        words = f"{len(nodes)} nodes and {len(edges)} edges, more than {MOST_PARTS} of both"
        found = finding("GMN708", words, got=len(nodes) + len(edges), expected=MOST_PARTS)
        return None, [found], {}, {}
    graph = _Graph(nodes, edges)
    graph.note("GMN804", f"read as {spelling}", got=spelling)
    graph.check_source(source)
    tree: Tree = {key: source[key] for key in ("name", "description") if key in source}
    tree |= {f"{kind}s": graph.variables(kind) for kind in SIZES}
    tree["likelihoods"] = graph.entries("/likelihoods", graph.likelihoods())
    tree["transitions"] = graph.entries("/transitions", graph.transitions())
    tree["priors"] = graph.entries("/priors", graph.priors())
    tree["preferences"] = graph.entries("/preferences", graph.preferences())
    tree["queries"] = graph.entries("/queries", graph.queries())
    if policy := graph.policy():
        tree["policy"] = policy
    # What else is wrong rests on a table that is missing, or of which no axis is known.
    lacks_a_table = any(d.code in ("GMN010", "GMN301") for d in graph.found)
    has_tables = any(tree[key] for key in ("likelihoods", "transitions", "priors"))
    if not (has_tables or lacks_a_table or any(d.code in _WRONG for d in graph.found)):
        kinds = sorted({node.type for node in nodes})
        words = (
            f"it names {len(nodes)} node{'s' * (len(nodes) != 1)} ({', '.join(kinds)[:80]}) and"
            f" holds no probabilities: no matrix of a likelihood or a transition, no distribution"
            f" of a belief; {AS_PROMPT}"
        )
        return None, [finding("GMN806", words)], {}, {}
    return None if lacks_a_table else tree, graph.found, graph.origins, graph.names


class _Graph(Network):
    """The tables that nodes and edges say."""

    def check_source(self, source: Mapping[str, object]) -> None:
        """Say what of the document around nodes and edges is not read."""
        read = ("nodes", "edges", "links", "name", "description", "metadata", "version", "type")
        for key in source:
            if key not in read:
                self.note("GMN803", f"{key!r} of the document ignored", got=key)

    def entries(self, pointer: str, made: Iterable[tuple[Node, Tree]]) -> list[Tree]:
        """Entries of a section, where each stands noted."""
        entries = [*made]
        for index, (node, _) in enumerate(entries):
            self.origins[f"{pointer}/{index}"] = node.origin
            self.names[f"{pointer}/{index}"] = node.name
        return [entry for _, entry in entries]

    def variables(self, kind: str) -> list[Tree]:
        """States, observations or actions."""
        return self.entries(f"/{kind}s", [(n, self._variable(n)) for n in self.of_type(kind)])

    def _variable(self, node: Node) -> Tree:
        variable: Tree = {"name": node.name}
        if isinstance(words := node.properties.get("description"), str):
            variable["description"] = words
        if labels := self.labels(node):
            variable["labels"] = labels
        size = next((node.properties[k] for k in SIZES[node.type] if k in node.properties), None)
        if size is not None:
            variable["size"] = size
        elif not labels:
            variable["size"] = self.size_by_vectors(node)
        return variable

    def likelihoods(self) -> Iterator[tuple[Node, Tree]]:
        """Emissions, and observations with a table of their own."""
        for node in self.of_type("emission", "observation"):
            targets = [node.name]
            if node.type == "emission":
                targets = self.named(node, "to", "of", "about", "observation")
                targets = targets or self.tied(node.name, "observation")
            if (table := self.table(node, TABLES)) is None or not targets:
                self.without(node, targets, "observation")
                continue
            of = targets[0]
            parents = self.named(node, *PARENTS) or self.parents(node.name, of, "state")
            yield node, self._conditional(of, parents, table)
            self._note_direction(of, parents)

    def transitions(self) -> Iterator[tuple[Node, Tree]]:
        """Transitions, and states with a table of their own."""
        for node in self.of_type("transition", "state"):
            targets = [node.name]
            keys: Sequence[str] = ("transition", "matrix")
            if node.type == "transition":
                targets = self.named(node, "to", "of", "about", "state")
                targets = targets or self.tied(node.name, "state")
                keys = TABLES
            if (table := self.table(node, keys)) is None or not targets:
                self.without(node, targets, "state")
                continue
            yield node, self._conditional(targets[0], self._before(node, targets[0], table), table)

    def without(self, node: Node, targets: Sequence[str], kind: str) -> None:
        """Say that a table's node says none; an error where the model cannot do without it."""
        if node.type not in ("emission", "transition"):
            return
        about = self.nodes.get(targets[0]) if targets else None
        is_needed = node.type == "emission" or bool(self.tied(node.name, "action"))
        if about and is_needed and not {"matrix", "transition", *TABLES} & set(about.properties):
            words = f"{node.type} {node.name} has no matrix: write how {about.name} comes about"
            self.note("GMN010", words, node.origin)
            return
        if about is None and self.table(node, TABLES) is not None:
            edge = f"{node.name} -> NAME: {'generates' if kind == 'observation' else 'updates'}"
            words = f"{node.name} has a matrix, and no edge says of which {kind}: write {edge}"
            self.note("GMN010", words, node.origin)
            return
        words = f"{node.type} {node.name} has no {'matrix' if about else kind}: ignored"
        self.note("GMN803", words, node.origin)

    def _before(self, node: Node, of: str, table: Array | str) -> list[str]:
        """What the next value of `of` depends on: as many as the table has axes."""
        said = self.named(node, *PARENTS)
        near = [n for n in said if self.nodes[n].type == "state"] or self.tied(node.name, "state")
        others = [n for n in near if n != of]
        actions = [n for n in said if self.nodes[n].type == "action"]
        actions = actions or self.parents(node.name, of, "action")
        if isinstance(table, str) or table.ndim == 2 + len(others) + len(actions):
            return [of, *others, *actions]
        return [of, *(actions if table.ndim > 2 else [])]

    def priors(self) -> Iterator[tuple[Node, Tree]]:
        """Beliefs, and states with a distribution of their own; the first of each state."""
        done: set[str] = set()
        for node in self.of_type("belief", "state"):
            about = [node.name] if node.type == "state" else self.about(node)
            keys = ("initial_distribution", "distribution", "initial")
            table = self.table(node, PRIORS if node.type == "belief" else keys)
            if table is None or not about or about[0] in done:
                continue
            done.add(about[0])
            rows = table if isinstance(table, str) else [table.ravel().tolist()]
            yield node, {"of": about[0], "table": {"kind": "rows", "rows": rows}}

    def preferences(self) -> Iterator[tuple[Node, Tree]]:
        """Preferences as vectors, or as what is preferred and how much."""
        for node in self.of_type("preference"):
            if not (on := self.about(node)):
                continue
            properties = node.properties
            liked = properties.get("preferred_observation", properties.get("preferred"))
            vector = self.table(node, UTILITIES)
            if vector is not None and not isinstance(vector, str):
                yield node, {"on": on[0], "values": vector.ravel().tolist()}
            elif liked is not None:
                strength = next((properties[key] for key in STRENGTHS if key in properties), 1.0)
                each = liked if isinstance(liked, list) else [liked]
                goals = [{"value": self._label(on[0], v), "utility": strength} for v in each]
                yield node, {"on": on[0], "goals": goals}

    def _label(self, name: str, value: object) -> str:
        """What a value is called: these spellings count from 0."""
        labels = self.labels(self.nodes[name])
        if isinstance(value, int) and 0 <= value < len(labels) and value not in labels:
            return str(labels[value])
        return str(value)

    def policy(self) -> Tree:
        """The properties of the policy node."""
        (node, *_) = self.of_type("policy") or [Node("", "policy")]
        return {ours: node.properties[k] for k, ours in POLICY.items() if k in node.properties}

    def queries(self) -> Iterator[tuple[Node, Tree]]:
        """Questions to a language model: inputs and target by properties, or by edges."""
        for node in self.of_type("llm_query"):
            query: Tree = {"name": node.name, "trigger": "on_observation"}
            query |= {ours: node.properties[k] for k, ours in QUERY.items() if k in node.properties}
            ends = [e.target for e in self.edges if (e.source, e.type) == (node.name, "updates")]
            begins = [e.source for e in self.edges if (e.target, e.type) == (node.name, "queries")]
            targets = self.named(node, "target", "updates") or [e for e in ends if e in self.nodes]
            inputs = self.named(node, "inputs", "context")
            query["inputs"] = inputs or [name for name in begins if name in self.nodes]
            if targets:
                query.setdefault("effect", EFFECTS.get(self.nodes[targets[0]].type, "note"))
                about = self.about(self.nodes[targets[0]])
                query["target"] = about[0] if about else targets[0]
            query.setdefault("effect", "note")
            query.setdefault("prompt", "")
            self.note("GMN804", f"query {node.name}: its effect is {query['effect']}", node.origin)
            yield node, query

    def _conditional(self, of: str, given: Sequence[str], table: Array | str) -> Tree:
        if isinstance(table, str):
            return {"of": of, "given": [*given], "table": {"kind": "rows", "rows": table}}
        sizes = [self.size(name) for name in (*given, of)]
        actions = sum(self.nodes[name].type == "action" for name in given)
        known = orders(len(given) - actions, actions)
        return conditional(of, given, outcome_last(of, table, sizes, known, self.found))

    def _note_direction(self, of: str, parents: Sequence[str]) -> None:
        for edge in self.edges:
            if edge.source == of and edge.target in parents and edge.type != "depends_on":
                words = (
                    f"edge {edge.source} -> {edge.target} read the other way round:"
                    f" observation {of} depends on states"
                )
                self.note("GMN805", words, edge.origin)
