"""From the properties of block-text nodes to the tree of a canonical document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.block_values import (
    goals_in,
    items_in,
    key_at,
    rules_in,
    true_at,
    word_in,
    words_in,
)
from orchestrator.gmn.formats.syntax import Block, Value, plain
from orchestrator.parsing.spelling import nearest_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.gmn.formats.source_map import SourceMap
    from orchestrator.gmn.formats.syntax import Token
    from orchestrator.types.diagnostics import Diagnostic

Tree = dict[str, object]

SECTION_OF = {
    "state": "states",
    "observation": "observations",
    "action": "actions",
    "emission": "likelihoods",
    "transition": "transitions",
    "belief": "priors",
    "preference": "preferences",
    "policy": "policy",
    "llm_query": "queries",
}
_VARIABLE_KEYS = {
    **dict.fromkeys(("size", "num_states", "num_observations", "num_actions"), "size"),
    **dict.fromkeys(
        ("labels", "states", "observations", "actions", "list", "state_labels", "action_names",
         "observation_labels"),
        "labels",
    ),
    **dict.fromkeys(("shape", "grid"), "shape"),
    **dict.fromkeys(("terminal", "terminal_labels", "terminal_states"), "terminal"),
    "description": "description",
    "initial": "initial",
}  # fmt: skip
_TABLE_KEYS = {
    **{key: key for key in ("map", "identity", "uniform", "shift", "grid", "rules", "kind", "moves",
                            "boundary", "blocked", "noise", "noise_kind", "noisy_identity", "stay",
                            "sparse", "description")},
    **dict.fromkeys(
        ("rows", "matrix", "values", "probabilities", "vector", "distribution",
         "initial_distribution"),
        "rows",
    ),
}  # fmt: skip
_LINK_KEYS = {
    **dict.fromkeys(("learn", "learned", "learnable"), "learn"),
    **dict.fromkeys(("concentration", "pseudo_counts", "pseudocounts"), "concentration"),
    **dict.fromkeys(("from", "given", "depends_on", "dependencies", "parents"), "given"),
    **dict.fromkeys(("to", "of", "about", "state", "target"), "of"),
}
_CONDITIONAL_KEYS = {**_TABLE_KEYS, **_LINK_KEYS}
_PREFERENCE_KEYS = {
    **dict.fromkeys(("on", "observation", "state", "about", "of", "to"), "on"),
    **dict.fromkeys(("values", "vector"), "values"),
    **{key: key for key in ("given", "goals", "preferred_observation", "preference_strength",
                            "rules", "reason", "goal_gradient")},
    "description": "reason",
}  # fmt: skip
_POLICY_KEYS = {
    **dict.fromkeys(("horizon", "policy_len", "planning_horizon"), "horizon"),
    **{key: key for key in ("gamma", "selection", "info_gain", "inference")},
    **dict.fromkeys(("discount", "discount_factor", "gamma_discount"), "discount"),
    **dict.fromkeys(("habit", "habits"), "habit"),
    "description": "description",
}
_QUERY_KEYS = {
    **dict.fromkeys(("trigger", "trigger_condition"), "trigger"),
    **dict.fromkeys(("prompt", "prompt_template"), "prompt"),
    **dict.fromkeys(("inputs", "context"), "inputs"),
    **dict.fromkeys(("target", "updates"), "target"),
    **{key: key for key in ("trigger_value", "effect")},
}
_AGENT_KEYS = {
    **dict.fromkeys(("type", "agent_type"), "agent_type"),
    "description": "description",
    "metadata": "metadata",
}
#: The properties of each kind of node, by each way in which they may be spelled.
KEYS_OF: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("state", "observation", "action"), _VARIABLE_KEYS),
    **dict.fromkeys(("emission", "transition", "belief"), _CONDITIONAL_KEYS),
    "preference": _PREFERENCE_KEYS, "policy": _POLICY_KEYS, "llm_query": _QUERY_KEYS,
    "agent": _AGENT_KEYS,
}  # fmt: skip
_KINDS = ("rows", "map", "identity", "uniform", "shift", "grid", "rules")


class Builder:
    """Collects nodes into a tree and remembers where each part stood."""

    def __init__(self, places: SourceMap) -> None:
        self.places = places
        self.tree: Tree = {}
        self.offsets: dict[str, int] = {"": 0}
        self.names: dict[str, str] = {}
        self.findings: list[Diagnostic] = []
        self.repairs: list[Diagnostic] = []

    def finish(self) -> Tree:
        """The tree, targets that only one variable can be filled in."""
        for section, kind in (("likelihoods", "observations"), ("transitions", "states")):
            variables = _section(self.tree, kind)
            for entry in _section(self.tree, section):
                if "of" not in entry and len(variables) == 1:
                    entry["of"] = variables[0].get("name")
        return self.tree

    def repaired(
        self, code: str, message: str, offset: int, *, got: str = "", expected: str = ""
    ) -> None:
        """Note that `got` was read as `expected`, or was left out."""
        place = self.places.at(offset)
        self.repairs.append(finding(code, message, place=place, got=got, expected=expected))

    def set_version(self, version: str, offset: int) -> None:
        """``gmn 1.0``."""
        self.tree["gmn"] = version
        self.offsets["/gmn"] = offset

    def set_agent(self, name: str, block: Block, offset: int) -> None:
        """``agent NAME { type, description, metadata }``."""
        self.tree["name"] = name
        self.offsets["/name"] = offset
        for key, value in self._known(block, _AGENT_KEYS, "agent").items():
            self.offsets[f"/{key}"] = value.offset
            if key == "metadata" and isinstance(value.content, Block):
                self.tree[key] = [
                    {
                        "key": key_at(entry, f"/metadata/{i}/key", self.offsets),
                        "value": self._word(entry.value, f"/metadata/{i}/value"),
                    }
                    for i, entry in enumerate(value.content.entries)
                ]
            else:
                self.tree[key] = word_in(value)

    def add_node(self, kind: str, name: Token, block: Block) -> None:
        """One node of a known type."""
        section = SECTION_OF[kind]
        if kind == "policy":
            self._policy(block, name.offset)
            return
        entries = self.tree.setdefault(section, [])
        assert isinstance(entries, list)
        pointer = f"/{section}/{len(entries)}"
        self.offsets[pointer] = self.offsets[f"{pointer}/name"] = name.offset
        self.names[pointer] = name.text
        self.offsets.setdefault(f"/{section}", name.offset)
        build: Callable[[str, Block, str], Tree] = self._variable
        if kind in ("emission", "transition", "belief"):
            build = self._conditional
        elif kind in ("preference", "llm_query"):
            build = self._preference if kind == "preference" else self._query
        entries.append(build(name.text, block, pointer))

    def _known(self, block: Block, keys: Mapping[str, str], what: str) -> dict[str, Value]:
        """Entries under their canonical key; unknown ones are dropped, repeated ones reported."""
        found: dict[str, Value] = {}
        near = nearest_keys([entry.key for entry in block.entries], keys)
        exact = {keys.get(entry.key) for entry in block.entries}
        for entry in block.entries:
            guess = keys.get(near.get(entry.key, ""))
            key = keys.get(entry.key) or (guess if guess not in exact else None)
            if key is None:
                words = f"unknown property {entry.key!r} of {what} ignored"
                self.repaired("GMN007", words, entry.offset, got=entry.key)
            elif key in found:
                words = f"property {entry.key!r} of {what} ignored: it has a {key!r} already"
                self.repaired("GMN007", words, entry.offset, got=entry.key)
            else:
                if entry.key not in keys:
                    words = f"property {entry.key!r} read as {key!r}"
                    self.repaired("GMN007", words, entry.offset, got=entry.key, expected=key)
                found[key] = entry.value
        return found

    def _plain(self, value: Value, pointer: str) -> object:
        return plain(value, pointer, self.offsets)

    def _word(self, value: Value, pointer: str) -> object:
        self.offsets[pointer] = value.offset
        return word_in(value)

    def _variable(self, name: str, block: Block, pointer: str) -> Tree:
        variable: Tree = {"name": name}
        for key, value in self._known(block, _VARIABLE_KEYS, f"variable {name}").items():
            where = f"{pointer}/{key}"
            self.offsets[where] = value.offset
            if key == "initial":
                self._initial(name, value)
            elif key in ("labels", "terminal"):
                variable[key] = words_in(value, where, self.offsets)
            elif key == "description":
                variable[key] = word_in(value)
            else:
                variable[key] = self._plain(value, where)
        return variable

    def _initial(self, name: str, value: Value) -> None:
        entries = self.tree.setdefault("priors", [])
        assert isinstance(entries, list)
        pointer = f"/priors/{len(entries)}"
        self.offsets[pointer] = value.offset
        if isinstance(value.content, Block):
            entries.append(
                self._conditional(name, value.content, pointer) | {"of": name, "given": []}
            )
            return
        content = value.content
        is_row = isinstance(content, list) and all(
            isinstance(v.content, int | float) for v in content
        )
        table: Tree = (
            {"kind": "rows", "rows": [self._plain(value, f"{pointer}/table/rows/0")]}
            if is_row
            else {"kind": "map", "map": [self._word(value, f"{pointer}/table/map/0")]}
        )
        if value.raw == "uniform":
            table = {"kind": "uniform"}
        entries.append({"of": name, "given": [], "table": table})

    def _conditional(self, name: str, block: Block, pointer: str) -> Tree:
        known = self._known(block, _CONDITIONAL_KEYS, f"table {name}")
        known.pop("description", None)
        entry: Tree = {
            key: self._plain(known.pop(key), f"{pointer}/{key}")
            for key in ("learn", "concentration")
            if key in known
        }
        if (given := known.pop("given", None)) is not None:
            entry["given"] = words_in(given, f"{pointer}/given", self.offsets)
        if (of := known.pop("of", None)) is not None:
            self.offsets[f"{pointer}/of"] = of.offset
            entry["of"] = self._target(of, name, f"{pointer}/of")
        entry["table"] = self._table(known, f"{pointer}/table")
        return entry

    def _target(self, of: Value, name: str, pointer: str) -> object:
        if not isinstance(of.content, list):
            return word_in(of)
        if len(of.content) == 1:
            return self._word(of.content[0], pointer)
        place, code = self.places.at(of.offset), "GMN119" if "/priors/" in pointer else "GMN118"
        names = [word_in(item) for item in of.content]
        words = f"table {name} has {len(names)} targets {names}; write one table for each"
        self.findings.append(finding(code, words, place=place, got=str(names)))
        return names[0] if names else ""

    def _table(self, known: dict[str, Value], pointer: str) -> Tree:
        for kind in ("grid", "shift"):  # grid: {moves: …} nests the fields under the kind
            if kind in known and isinstance(known[kind].content, Block):
                nested = known[kind].content
                assert isinstance(nested, Block)
                known = {
                    **known,
                    **self._known(nested, _TABLE_KEYS, kind),
                    kind: true_at(known[kind]),
                }
        table: Tree = {}
        if "kind" in known:
            table["kind"] = word_in(known.pop("kind"))
        self._sugar(known, table, pointer)
        for key, value in known.items():
            where = f"{pointer}/{key}"
            self.offsets[where] = value.offset
            if key in _KINDS:
                table.setdefault("kind", key)
            if key in ("identity", "uniform", "grid", "shift") and value.content in (True, False):
                continue
            table[key] = self._field(key, value, where)
        if "kind" not in table and "moves" in table:
            table["kind"] = "grid"
        return table

    def _sugar(self, known: dict[str, Value], table: Tree, pointer: str) -> None:
        if (keep := known.pop("noisy_identity", None)) is not None:
            content = keep.content
            noise = 1.0 - content if isinstance(content, int | float) else content
            noise = round(noise, 12) if isinstance(noise, float) else noise
            table |= {"kind": "identity", "noise": noise, "noise_kind": "others"}
        if known.pop("stay", None) is not None:
            table["kind"] = "identity"
        if (sparse := known.pop("sparse", None)) is not None:
            table |= {"kind": "sparse", "sparse": self._plain(sparse, f"{pointer}/sparse")}

    def _field(self, key: str, value: Value, where: str) -> object:
        if key == "rules":
            return rules_in(value, where, self.offsets, "when", "then")
        if key == "moves" and isinstance(value.content, Block):
            return [
                {
                    "action": key_at(entry, f"{where}/{i}/action", self.offsets),
                    "delta": self._plain(entry.value, f"{where}/{i}/delta"),
                }
                for i, entry in enumerate(value.content.entries)
            ]
        if key in ("map", "blocked"):
            return words_in(value, where, self.offsets)
        if key in ("boundary", "noise_kind"):
            return word_in(value)
        return self._plain(value, where)

    def _preference(self, name: str, block: Block, pointer: str) -> Tree:
        known = self._known(block, _PREFERENCE_KEYS, f"preference {name}")
        entry: Tree = {}
        liked, strength = (
            known.pop("preferred_observation", None),
            known.pop("preference_strength", None),
        )
        if liked is not None:
            utility = strength.content if strength is not None else 1.0
            said = self._word(liked, f"{pointer}/goals/0/value")
            entry["goals"] = [{"value": said, "utility": utility}]
        for key, value in known.items():
            where = f"{pointer}/{key}"
            self.offsets[where] = value.offset
            if key in ("on", "given"):
                entry[key] = words_in(value, where, self.offsets)
                for i, item in enumerate(items_in(value)[1:] if key == "on" else ()):
                    self.offsets[f"{pointer}/given/{i}"] = item.offset
            elif key == "reason":
                entry[key] = word_in(value)
            elif key == "rules":
                entry[key] = rules_in(value, where, self.offsets, "when")
            elif key == "goals" and isinstance(value.content, Block):
                entry[key] = goals_in(value.content, where, self.offsets)
            else:
                entry[key] = self._plain(value, where)
        return entry

    def _policy(self, block: Block, offset: int) -> None:
        self.offsets["/policy"] = offset
        policy = self.tree.setdefault("policy", {})
        assert isinstance(policy, dict)
        for key, value in self._known(block, _POLICY_KEYS, "policy").items():
            if key == "habit" and isinstance(value.content, Block):
                self.offsets["/habits"] = value.offset
                self.tree["habits"] = [
                    {
                        "action": key_at(e, f"/habits/{i}/action", self.offsets),
                        "weights": self._plain(e.value, f"/habits/{i}/weights"),
                    }
                    for i, e in enumerate(value.content.entries)
                ]
            elif key != "description":
                policy[key] = self._plain(value, f"/policy/{key}")

    def _query(self, name: str, block: Block, pointer: str) -> Tree:
        query: Tree = {"name": name}
        for key, value in self._known(block, _QUERY_KEYS, f"query {name}").items():
            where = f"{pointer}/{key}"
            if key == "inputs":
                query[key] = words_in(value, where, self.offsets)
            elif key == "trigger_value":
                query[key] = self._plain(value, where)
            else:
                self.offsets[where] = value.offset
                query[key] = word_in(value)
        return query


def _section(tree: Tree, name: str) -> list[Tree]:
    entries = tree.get(name, [])
    assert isinstance(entries, list)
    return entries
