"""Flat POMDP JSON: ``{states: [names], observations: …, actions: …, parameters: {A, B, C, D}}``.

One factor, one modality, at most one action: A[state][observation], B[action][from][to], C and D
vectors, each under any of its customary names, inside of ``parameters`` or beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.imports.imported import (
    AS_PROMPT,
    Imported,
    from_json,
    imported,
    named,
    unread,
)
from orchestrator.gmn.imports.keyed import KeyedError, in_lists, orders_of
from orchestrator.gmn.imports.kinds import STATE_KEYS, TABLE_KEYS, is_labels
from orchestrator.gmn.imports.numbers import (
    array_in,
    conditional,
    outcome_last,
    preferences,
    priors,
    why_no_array,
)
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.types.diagnostics import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.imports.keyed import Keyed, Labels
    from orchestrator.gmn.imports.numbers import Array
    from orchestrator.types.diagnostics import Diagnostic

Tree = dict[str, object]

_NAMES: Final = {
    "states": STATE_KEYS,
    "observations": (
        "observations", "obs", "outcomes", "observation_names", "observation_labels", "o"
    ),
    "actions": ("actions", "controls", "control_states", "action_names", "action_labels", "u"),
}  # fmt: skip
_POLICY = {
    "discount": "discount", "gamma": "gamma", "horizon": "horizon", "policy_len": "horizon",
    "planning_horizon": "horizon",
}  # fmt: skip
_OTHERS = ("name", "description", "parameters", "type", "version", *_POLICY)


def read(text: str) -> Imported:
    """Read a JSON text that holds a flat POMDP."""
    return from_json(text, read_data)


def read_data(source: Mapping[str, object]) -> Imported:
    """Read a JSON object that holds a flat POMDP."""
    found = [
        finding("GMN804", "read as flat POMDP JSON: states, observations, actions, parameters")
    ]
    at, parameters = _inside(source)
    if at not in ("", "parameters"):
        found.append(finding("GMN804", f"{at!r} read as 'parameters'", got=at))
    both = {**parameters, **source}
    spelled = [key for keys in (*_NAMES.values(), *TABLE_KEYS.values()) for key in keys]
    # What stands in both places is read from the document, so in the parameters it is left over.
    found += unread(source, (*spelled, *_OTHERS, at), "the document")
    left = [key for key in (*spelled, *_OTHERS) if key not in source]
    found += unread(parameters, [*left, *spelled], at)
    found += [
        finding("GMN004", f"{key!r} of the document differs from that of {at}; keep one", got=key)
        for key in spelled
        if key in parameters and source.get(key, parameters[key]) != parameters[key]
    ]
    words = {kind: _first(both, keys, kind, found) for kind, keys in _NAMES.items()}
    tables = {kind: _first(both, keys, kind, found) for kind, keys in TABLE_KEYS.items()}
    if tables["A"] in (None, [], {}) and tables["B"] in (None, [], {}):
        counts = {k: len(w) if isinstance(w, list | dict) else w for k, w in words.items()}
        shown = ", ".join(f"{n} {kind}" for kind, n in counts.items() if isinstance(n, int))
        why = (
            f"it names {shown} and holds no probabilities: add A[state][observation] and"
            f" B[action][from][to], or {AS_PROMPT}"
        )
        return imported(None, [finding("GMN806", why)])
    where = {kind: _pointer(source, at, keys) for kind, keys in TABLE_KEYS.items()}
    begun = len(found)
    tree = _tree(both, words, tables, found)
    found[begun:] = [
        dataclasses.replace(d, pointer=where.get(d.pointer, d.pointer)) for d in found[begun:]
    ]
    if any(d.severity is Severity.ERROR for d in found):
        return imported(None, found)
    return imported(tree, found, {"/likelihoods/0": where["A"], "/transitions/0": where["B"]})


def _inside(source: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    """The object that holds the tables, and its key: `parameters`, or the only one with tables."""
    if isinstance(inside := source.get("parameters"), dict):
        return "parameters", inside
    spelled = {key for keys in (*TABLE_KEYS.values(), *_NAMES.values()) for key in keys}
    tables = {key for of in "AB" for key in TABLE_KEYS[of]}
    found = [
        (key, value)
        for key, value in source.items()
        if key not in spelled and isinstance(value, dict) and tables & set(value)
    ]
    return found[0] if len(found) == 1 else ("parameters", {})


def _pointer(source: Mapping[str, object], inside: str, keys: Sequence[str]) -> str:
    """Where a table stands, under whichever of its names."""
    if key := next((key for key in keys if key in source), ""):
        return f"/{key}"
    parameters = source.get(inside)
    known = parameters if isinstance(parameters, dict) else {}
    return f"/{inside}/{next((key for key in keys if key in known), '')}"


def _first(
    both: Mapping[str, object], keys: Sequence[str], kind: str, found: list[Diagnostic]
) -> object:
    """The value under the first of the names that is there; a second one is an error."""
    there = [key for key in keys if key in both]
    if len(there) > 1:
        words = f"{' and '.join(map(repr, there))} both say {kind}; keep one"
        found.append(finding("GMN004", words, got=there[1]))
    elif there and there[0] != kind:
        found.append(finding("GMN804", f"{there[0]!r} read as {kind!r}", got=there[0]))
    return both[there[0]] if there else None


def _tree(
    both: Mapping[str, object],
    words: Mapping[str, object],
    tables: Mapping[str, object],
    found: list[Diagnostic],
) -> Tree:
    tree: Tree = named(both)
    sizes: dict[str, int] = {}
    for kind, labels in words.items():
        name = kind.removesuffix("s")
        if is_labels(labels) and isinstance(labels, list):
            tree[kind], sizes[kind] = [{"name": name, "labels": labels}], len(labels)
        elif isinstance(labels, int) and not isinstance(labels, bool) and labels > 0:
            tree[kind], sizes[kind] = [{"name": name, "size": labels}], labels
        else:
            tree[kind], sizes[kind] = [], 0
    labels = {kind: _labels(said, sizes[kind]) for kind, said in words.items()}
    if tables["A"] is not None:
        rows = _table("A", tables["A"], ("states", "observations"), labels, found)
        tree["likelihoods"] = [{**rows, "of": "observation", "given": ["state"]}]
    if tables["B"] is not None:
        kinds = (*(["actions"] if sizes["actions"] else []), "states", "states")
        rows = _table("B", tables["B"], kinds, labels, found)
        tree["transitions"] = [
            {**rows, "of": "state", "given": [kind.removesuffix("s") for kind in kinds[:-1]]}
        ]
    seen, hidden = {"observations": labels["observations"]}, {"states": labels["states"]}
    tree["preferences"] = preferences(["observation"], [_vector("C", tables["C"], seen, found)])
    tree["priors"] = priors(["state"], [_vector("D", tables["D"], hidden, found)])
    if policy := {ours: both[key] for key, ours in _POLICY.items() if key in both}:
        tree["policy"] = policy
    return tree


def _labels(said: object, size: int) -> list[str]:
    """The labels of a variable; its numbers where it has no others."""
    if isinstance(said, list):
        return [str(label) for label in said]
    return [str(i) for i in range(min(size, HARD_LIMITS.variable_size))]


def _array(
    key: str, value: object, labels: Labels, found: list[Diagnostic]
) -> tuple[Array | None, Keyed]:
    """The array of a table, and whose labels its axes are keyed by; None where there is none."""
    words = f"{key} is ragged, or not all numbers, or keyed by what is not all labels"
    keyed: Keyed = []
    try:
        listed, keyed = in_lists(value, labels)
        if (array := array_in(listed)) is not None and array.size:
            return array, keyed
        why = why_no_array(listed)
    except KeyedError as error:
        why = f"it {error}"
    found.append(finding("GMN310", f"{words}: {why}", pointer=key))
    return None, keyed


def _vector(key: str, value: object, labels: Labels, found: list[Diagnostic]) -> Array:
    """A vector; of a prior also the only value that is possible, by its name."""
    ((kind, names),) = labels.items()
    if value in (None, [], {}):
        return np.zeros(0)
    if key == "D" and isinstance(value, str) and value in names:
        words = f"D is {value!r}: the only value of {kind} that is possible at the start"
        found.append(finding("GMN804", words, pointer=key, got=value))
        value = {value: 1.0}
    array, _ = _array(key, value, labels, found)
    return np.zeros(0) if array is None else array.ravel()


def _table(
    key: str, value: object, kinds: Sequence[str], labels: Labels, found: list[Diagnostic]
) -> Tree:
    """The rows of a table whose axes are of these kinds, the outcome last."""
    array, keyed = _array(key, value, labels, found)
    if array is None:
        return {}
    while array.ndim > len(kinds) and array.shape[0] == 1:
        array, keyed = array[0], keyed[1:]
    # Of B the action comes first, then the state before, then the next one.
    more = [(0, 2, 1), (2, 1, 0)] if len(kinds) == 3 else [(1, 0)]
    known = orders_of([tuple(range(len(kinds))), *more], kinds, keyed)
    sizes = [len(labels[kind]) for kind in kinds]
    return conditional("", (), outcome_last(key, array, sizes, known, found, at=key))
