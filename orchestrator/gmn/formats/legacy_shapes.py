"""Shapes of a tree that are not canonical but clear: sugar, nested arrays, symbolic values."""

from __future__ import annotations

import copy
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.formats.orientation import oriented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.types.diagnostics import Diagnostic

Tree = dict[str, object]

_SIZES = re.compile(r"(?<!\d)(\d{1,9}+)\s*+[xX\u00d7]\s*+(\d{1,9}+)(?!\d)")
_DROP_FOR_INFO_GAIN = ("exploration_bonus", "information_gain")
_AS_KIND = ("uniform", "identity")
_GRID = "deterministic_grid_transitions"
_DELTAS = {
    "up": (-1, 0), "north": (-1, 0), "down": (1, 0), "south": (1, 0), "left": (0, -1),
    "west": (0, -1), "right": (0, 1), "east": (0, 1), "stay": (0, 0), "wait": (0, 0),
}  # fmt: skip
_NAMED = {"likelihoods": "of", "transitions": "of", "priors": "of", "preferences": "on",
          "states": "name", "observations": "name", "actions": "name", "queries": "name",
          "habits": "action"}  # fmt: skip


@dataclass(slots=True)
class FixedShapes:
    """A tree in canonical shape, what stays wrong, and what was repaired."""

    tree: Tree
    findings: list[Diagnostic] = field(default_factory=list)
    repairs: list[Diagnostic] = field(default_factory=list)


def fix_legacy_shapes(tree: Tree) -> FixedShapes:
    """Repair a copy of `tree`; one that is canonical comes back equal."""
    fixed = FixedShapes(dict(tree))
    _lists(fixed)
    for section in ("likelihoods", "transitions", "priors"):
        for pointer, entry in _entries(fixed, section):
            _conditional(fixed, pointer, entry)
    for pointer, entry in list(_entries(fixed, "preferences")):
        _preference(fixed, pointer, entry)
    return fixed


def _lists(fixed: FixedShapes) -> None:
    """Sections keyed by name become lists; entries are copied before anything is changed."""
    tree = fixed.tree
    for section, key in _NAMED.items():
        value = tree.get(section)
        if isinstance(value, dict):
            tree[section] = [
                {key: name, **entry} if isinstance(entry, dict) else {key: name, "table": entry}
                for name, entry in value.items()
            ]
            words = f"{section} keyed by name read as a list"
            fixed.repairs.append(finding("GMN008", words, pointer=f"/{section}"))
        elif isinstance(value, list):
            tree[section] = [dict(entry) if isinstance(entry, dict) else entry for entry in value]
    metadata = tree.get("metadata")
    if isinstance(metadata, dict):
        tree["metadata"] = [{"key": key, "value": value} for key, value in metadata.items()]


def _entries(fixed: FixedShapes, section: str) -> Iterator[tuple[str, Tree]]:
    value = fixed.tree.get(section)
    for index, entry in enumerate(value if isinstance(value, list) else []):
        if isinstance(entry, dict):
            yield f"/{section}/{index}", entry


def _conditional(fixed: FixedShapes, pointer: str, entry: Tree) -> None:
    table = entry.get("table")
    if isinstance(table, str):
        table = {"kind": table}
    elif isinstance(table, list):
        table = {"kind": "rows", "rows": table}
    if not isinstance(table, dict):
        return
    table = entry["table"] = dict(table)
    _rules(table)
    if isinstance(table.get("sparse"), list):
        _sparse(fixed, f"{pointer}/table", entry, table)
    rows = table.get("rows")
    if isinstance(rows, str):
        _symbolic(fixed, f"{pointer}/table/rows", entry, table)
    elif isinstance(rows, list):
        _rows(fixed, f"{pointer}/table/rows", entry, table)


def _sparse(fixed: FixedShapes, pointer: str, entry: Tree, table: Tree) -> None:
    """``[[x.., y, p], …]`` as rules."""
    given = entry.get("given")
    names = [str(name) for name in given] if isinstance(given, list) else []
    rules: dict[tuple[str, ...], list[Tree]] = {}
    sparse = table.pop("sparse")
    assert isinstance(sparse, list)
    for index, cell in enumerate(sparse):
        if not isinstance(cell, list) or len(cell) != len(names) + 2:
            words = f"{pointer}/sparse/{index}: expected {len(names)} parents, a value and p"
            fixed.findings.append(finding("GMN008", words, pointer=f"{pointer}/sparse/{index}"))
            continue
        context = tuple(str(label) for label in cell[: len(names)])
        rules.setdefault(context, []).append({"value": str(cell[-2]), "p": cell[-1]})
    table["kind"] = "rules"
    table["rules"] = [
        {
            "when": [{"var": n, "values": [x]} for n, x in zip(names, context, strict=True)],
            "then": outcomes,
        }
        for context, outcomes in rules.items()
    ]


def _rows(fixed: FixedShapes, pointer: str, entry: Tree, table: Tree) -> None:
    rows = table["rows"]
    assert isinstance(rows, list)
    depth = _depth(rows)
    if depth == 1 and rows:
        table["rows"] = [rows]
    elif depth > 2:
        _nested(fixed, pointer, entry, table)
    lengths = Counter(len(row) for row in rows if isinstance(row, list))
    if depth == 2 and len(lengths) > 1:
        n = _size(fixed.tree, str(entry.get("of"))) or lengths.most_common(1)[0][0]
        for number, row in enumerate(rows):
            if isinstance(row, list) and len(row) != n:
                words = (
                    f"row {number + 1} of {entry.get('of')} has {len(row)} numbers, expected {n}"
                )
                where = f"{pointer}/{number}"
                fixed.findings.append(
                    finding("GMN310", words, pointer=where, got=len(row), expected=n)
                )


def _depth(value: object) -> int:
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = value[0] if value else None
    return depth


def _nested(fixed: FixedShapes, pointer: str, entry: Tree, table: Tree) -> None:
    """Flatten a 3-D or 4-D array when exactly one reading of its axes is a set of distributions."""
    try:
        array = np.array(table["rows"], dtype=np.float64)
    except (TypeError, ValueError):
        words = f"nested rows of {entry.get('of')} are ragged or not numbers"
        fixed.findings.append(finding("GMN310", words, pointer=pointer))
        table["rows"] = []
        return
    given = entry.get("given")
    names = [str(n) for n in given] if isinstance(given, list) else []
    sizes = [_size(fixed.tree, name) for name in [*names, str(entry.get("of"))]]
    proof = oriented(array, sizes)
    if proof is None or proof.is_ambiguous:
        why = "no reading of its axes fits" if proof is None else "its axes can be read in two ways"
        words = (
            f"nested array of shape {list(array.shape)} for {entry.get('of')}: {why}; write rows"
        )
        fixed.findings.append(
            finding("GMN309", words, pointer=pointer, got=list(array.shape), expected=sizes)
        )
        table["rows"] = []
        return
    words = f"nested array of shape {list(array.shape)} for {entry.get('of')} flattened to rows"
    fixed.repairs.append(finding("GMN309", words, pointer=pointer, got=list(array.shape)))
    table["rows"] = proof.array.reshape(-1, proof.array.shape[-1]).tolist()


def _variable(tree: Tree, name: str) -> Tree:
    for section in ("states", "observations", "actions"):
        value = tree.get(section)
        for entry in value if isinstance(value, list) else []:
            if isinstance(entry, dict) and entry.get("name") == name:
                return entry
    return {}


def _size(tree: Tree, name: str) -> int:
    variable = _variable(tree, name)
    labels, size, shape = (variable.get(key) for key in ("labels", "size", "shape"))
    if isinstance(size, int) and size:
        return size
    if isinstance(labels, list) and labels:
        return len(labels)
    if isinstance(shape, list) and shape and all(isinstance(side, int) for side in shape):
        return math.prod(shape)
    return 0


def _symbolic(fixed: FixedShapes, pointer: str, entry: Tree, table: Tree) -> None:
    """A word in place of numbers."""
    word = str(table.pop("rows"))
    if word in _AS_KIND:
        table["kind"] = word
        fixed.repairs.append(finding("GMN409", f"{word!r} read as the table kind", pointer=pointer))
    elif word == _GRID and _as_grid(fixed.tree, entry, table):
        words = f"{word!r} read as a grid with labelled moves"
        fixed.repairs.append(finding("GMN409", words, pointer=pointer, got=word))
    else:
        table["kind"] = "rows"
        words = f"symbolic value {word!r} says no probabilities; write a table"
        fixed.findings.append(finding("GMN409", words, pointer=pointer, got=word))


def _as_grid(tree: Tree, entry: Tree, table: Tree) -> bool:
    of = str(entry.get("of"))
    variable = _variable(tree, of)
    shape = _grid_shape(variable, _size(tree, of))
    actions = tree.get("actions")
    names = (
        [str(a.get("name")) for a in actions if isinstance(a, dict)]
        if isinstance(actions, list)
        else []
    )
    if shape is None or len(names) != 1:
        return False
    action = _variable(tree, names[0])
    labels = (
        action.get("labels") or ["up", "down", "left", "right", "stay"][: _size(tree, names[0])]
    )
    assert isinstance(labels, list)
    if len(labels) not in (4, 5) or not all(str(label).lower() in _DELTAS for label in labels):
        return False
    variable["shape"] = list(shape)
    action["labels"] = labels
    entry["given"] = [names[0], of]
    table["kind"] = "grid"
    table["moves"] = [
        {"action": label, "delta": list(_DELTAS[str(label).lower()])} for label in labels
    ]
    return True


def _grid_shape(variable: Tree, size: int) -> tuple[int, int] | None:
    match = _SIZES.search(str(variable.get("description", "")))
    if match and int(match[1]) * int(match[2]) == size:
        return int(match[1]), int(match[2])
    side = math.isqrt(size)
    return (side, side) if side * side == size and side > 1 else None


def _rules(entry: Tree) -> None:
    """Conditions and outcomes keyed by name become lists, as block text reads them."""
    if isinstance(rules := entry.get("rules"), list):
        entry["rules"] = [_listed(rule) if isinstance(rule, dict) else rule for rule in rules]


def _listed(rule: Tree) -> Tree:
    when, then = rule.get("when"), rule.get("then")
    if isinstance(when, dict) and not {"var", "values"} & set(when):
        asked = [(var, said if isinstance(said, list) else [said]) for var, said in when.items()]
        rule = {**rule, "when": [{"var": var, "values": values} for var, values in asked]}
    if isinstance(then, dict) and not {"value", "p"} & set(then):
        rule = {**rule, "then": [{"value": label, "p": p} for label, p in then.items()]}
    return rule


def _preference(fixed: FixedShapes, pointer: str, entry: Tree) -> None:
    _rules(entry)
    on, given = entry.get("on"), entry.get("given")
    if isinstance(on, list):  # the first of several names, and the others
        entry["on"] = on[0] if on else ""
        entry["given"] = [*on[1:], *(given if isinstance(given, list) else [])]
    goals = entry.get("goals")
    if isinstance(goals, dict):
        entry["goals"] = [{"value": label, "utility": utility} for label, utility in goals.items()]
    gradients = entry.get("goal_gradient", [])
    gradients = [gradients] if isinstance(gradients, dict) else gradients
    if isinstance(gradients, list) and gradients:
        usual = {"utility": 4.0, "decay": 0.8}
        entry["goal_gradient"] = [{**usual, **g} if isinstance(g, dict) else g for g in gradients]
    values = entry.get("values")
    if isinstance(values, str):
        _symbolic_preference(fixed, pointer, entry, values)


def _symbolic_preference(fixed: FixedShapes, pointer: str, entry: Tree, word: str) -> None:
    entry["values"] = []
    if word not in _DROP_FOR_INFO_GAIN:
        words = f"symbolic value {word!r} says no utilities; write values or goals"
        fixed.findings.append(finding("GMN409", words, pointer=f"{pointer}/values", got=word))
        return
    preferences = fixed.tree["preferences"]
    assert isinstance(preferences, list)
    fixed.tree["preferences"] = [other for other in preferences if other is not entry]
    policy = fixed.tree.get("policy")
    kept = copy.copy(policy) if isinstance(policy, dict) else {}
    fixed.tree["policy"] = {**kept, "info_gain": True}
    words = f"preference {word!r} read as info_gain: true"
    fixed.repairs.append(finding("GMN409", words, pointer=pointer, got=word))
