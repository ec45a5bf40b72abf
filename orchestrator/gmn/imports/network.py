"""Nodes by name, what an edge ties together, and what each node says."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.blocktext import TYPE_ALIASES
from orchestrator.gmn.imports.numbers import array_in
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.gmn.imports.numbers import Array
    from orchestrator.types.diagnostics import Diagnostic

SIZES = {
    "state": ("num_states", "size"),
    "observation": ("num_observations", "num_obs", "size"),
    "action": ("num_actions", "num_controls", "size"),
}
TABLES = ("matrix", "rows", "values", "probabilities", "vector")
PRIORS = ("initial_distribution", "distribution", "vector", "values", "matrix", "probabilities")
UTILITIES = ("vector", "values", "matrix", "utilities")
STRENGTHS = ("preference_strength", "strength")
TYPES = (*SIZES, "emission", "transition", "belief", "preference", "policy", "llm_query")
POLICY = {
    "horizon": "horizon", "policy_len": "horizon", "planning_horizon": "horizon",
    "gamma": "gamma", "selection": "selection", "info_gain": "info_gain", "discount": "discount",
}  # fmt: skip
QUERY = {
    "trigger": "trigger", "trigger_condition": "trigger", "prompt": "prompt",
    "prompt_template": "prompt", "trigger_value": "trigger_value", "effect": "effect",
}  # fmt: skip
#: What an answer to a query does, by the type of the node that it updates.
EFFECTS = {
    "observation": "observe", "action": "suggest_action", "preference": "set_preference",
    "state": "set_prior", "belief": "set_prior",
}  # fmt: skip
#: What a table depends on, where a property says it.
PARENTS = ("from", "given", "depends_on", "dependencies", "parents")
_LINKS = (*PARENTS, "to", "of", "about", "state", "on", "observation")
_COMMON = {"description", "labels", "metadata", "data_type", "position", "x", "y"}
_READ: Mapping[str, frozenset[str]] = {
    **{
        kind: frozenset((*SIZES[kind], f"{kind}s", f"{kind}_labels", f"{kind}_names"))
        for kind in SIZES
    },
    "emission": frozenset((*TABLES, *_LINKS)),
    "transition": frozenset((*TABLES, *_LINKS)),
    "belief": frozenset((*PRIORS, *_LINKS)),
    "preference": frozenset(
        (
            *UTILITIES,
            *_LINKS,
            "preferred_observation",
            "preferred",
            "preference_strength",
            "strength",
        )
    ),
    "policy": frozenset(POLICY),
    "llm_query": frozenset((*QUERY, "inputs", "context", "target", "updates")),
}
_OF_STATE = frozenset(("transition", "matrix", "initial_distribution", "distribution", "initial"))


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its name, its type in lower case, its properties, and where it stands."""

    name: str
    type: str
    properties: Mapping[str, object] = field(default_factory=dict)
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """One arrow, as it was written, and where it stands."""

    source: str
    target: str
    type: str = ""
    origin: str = ""


class Network:
    """A graph as it was written; what is wrong with it goes into `found`."""

    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
        self.found: list[Diagnostic] = []
        self.origins: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.nodes: dict[str, Node] = {}
        for node in nodes:
            self._add(node)
        self.ties: dict[str, dict[str, None]] = defaultdict(dict)
        self.edges = edges
        for edge in edges:
            for end in (edge.source, edge.target):
                if end not in self.nodes:
                    words = f"edge {edge.source} -> {edge.target}: {end!r} is not a node"
                    self.note("GMN105", words, edge.origin, got=end)
            self.ties[edge.source][edge.target] = None
            self.ties[edge.target][edge.source] = None
        for node in self.nodes.values():
            self._check(node)

    def note(self, code: str, words: str, origin: str = "", got: object = "") -> None:
        """Note a finding at a node or an edge."""
        self.found.append(finding(code, words, pointer=origin, got=got))

    def _add(self, node: Node) -> None:
        kind = TYPE_ALIASES.get(node.type, node.type)
        if kind in ("emission", "likelihood"):
            kind = "emission"
        elif kind != node.type:
            words = f"type {node.type!r} of {node.name} read as {kind!r}"
            self.note("GMN804", words, node.origin, got=node.type)
        node = Node(node.name, kind, node.properties, node.origin)
        first = self.nodes.setdefault(node.name, node)
        if first is node:
            return
        if (first.type, first.properties) == (node.type, node.properties):
            self.note("GMN803", f"{node.name} stands there twice, equal: read once", node.origin)
        else:
            words = f"two different nodes are called {node.name!r}"
            self.note("GMN103", words, node.origin, got=node.name)

    def _check(self, node: Node) -> None:
        if node.properties.get("data_type", node.type) == "continuous":
            words = f"{node.name} is continuous; only discrete models run"
            self.note("GMN802", words, node.origin)
            return
        if node.type not in TYPES:
            words = f"{node.name} ignored: nodes of type {node.type!r} are not read"
            if node.properties:
                words += f", here with {', '.join(map(str, node.properties))}"
            self.note("GMN803", words, node.origin, got=node.type)
            return
        read = _READ[node.type] | _COMMON
        read |= _OF_STATE if node.type == "state" else frozenset()
        read |= frozenset((*TABLES, *_LINKS)) if node.type == "observation" else frozenset()
        for key in node.properties:
            if key not in read:
                words = f"property {key!r} of {node.name} ignored"
                self.note("GMN803", words, node.origin, got=key)

    def of_type(self, *types: str) -> list[Node]:
        """Nodes of some types, in declaration order."""
        return [node for node in self.nodes.values() if node.type in types]

    def labels(self, node: Node) -> list[object]:
        """The names of a variable's values; empty where they have none."""
        kind = node.type
        keys = ("labels", f"{kind}s", f"{kind}_labels", f"{kind}_names", "values")
        found = [v for key in keys if isinstance(v := node.properties.get(key), list)]
        return next((v for v in found if array_in(v) is None), found[0] if found else [])

    def size_by_vectors(self, node: Node) -> int:
        """The length of what is said about it, else 1, the default of this spelling."""
        about = [n for n in self.of_type("belief", "preference") if node.name in self.about(n)]
        vectors = [(node, "initial_distribution"), (node, "distribution")]
        vectors += [(n, key) for n in about for key in PRIORS]
        for owner, key in vectors:
            array = array_in(owner.properties.get(key))
            if array is not None and array.size:
                words = f"{node.name} has {array.size} values, as {key} of {owner.name} has numbers"
                self.note("GMN804", words, node.origin, got=array.size)
                return int(array.size)
        words = f"{node.name} has no {SIZES[node.type][0]}: 1, the default of this spelling"
        self.note("GMN804", words, node.origin, got=1)
        return 1

    def size(self, name: str) -> int:
        """How many values a variable has; 0 where that is not a number."""
        node = self.nodes[name]
        if labels := self.labels(node):
            return len(labels)
        size = next((node.properties[k] for k in SIZES[node.type] if k in node.properties), 1)
        return size if isinstance(size, int) else 0

    def about(self, node: Node) -> list[str]:
        """Which variable a belief or a preference is about; a variable is about itself."""
        if node.type in SIZES:
            return [node.name]
        named = self.named(node, "on", "observation", "about", "state", "of")
        if node.type == "preference" and not named:
            named = self.tied(node.name, "observation")
        return named or self.tied(node.name, "state") or self._only("state", node)

    def _only(self, kind: str, node: Node) -> list[str]:
        """The one variable of a kind, where there is but one; a preference is about outcomes."""
        kind = "observation" if node.type == "preference" else kind
        every = [n.name for n in self.of_type(kind)]
        return every if len(every) == 1 else []

    def named(self, node: Node, *keys: str) -> list[str]:
        value = next((node.properties[key] for key in keys if key in node.properties), [])
        names = value if isinstance(value, list) else [value]
        return [str(name) for name in names if str(name) in self.nodes]

    def tied(self, name: str, kind: str) -> list[str]:
        """Tied variables of one kind, in the order of the edges."""
        return [n for n in self.ties[name] if n in self.nodes and self.nodes[n].type == kind]

    def parents(self, via: str, of: str, kind: str) -> list[str]:
        """Variables tied to the table's node or to the variable it is about, else the only one."""
        look(len(self.ties[via]) + len(self.ties[of]))
        near = [*dict.fromkeys(self.tied(via, kind) + self.tied(of, kind))]
        every = [node.name for node in self.of_type(kind)]
        return near or (every if len(every) == 1 else [])

    def table(self, node: Node, keys: Sequence[str]) -> Array | str | None:
        """The numbers of a node, or a word in their place; None where it has neither."""
        key = next((key for key in keys if key in node.properties), "")
        value = node.properties.get(key)
        if value is None or isinstance(value, str):
            return value
        array = array_in(value)
        if array is None and node.type in SIZES and value is self.labels(node):
            return None
        if array is None or not array.ndim:
            words = f"{key} of {node.name} is ragged, or not all numbers"
            self.note("GMN310", words, node.origin)
            return None
        return array
