"""Flat POMDP JSON: ``{states: [names], observations: …, actions: …, parameters: {A, B, C, D}}``.

One factor, one modality, at most one action: A[state][observation], B[action][from][to], C and D
vectors, each under any of its customary names, inside of ``parameters`` or beside it.
"""

from __future__ import annotations

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
from orchestrator.gmn.imports.kinds import STATE_KEYS, is_labels
from orchestrator.gmn.imports.numbers import (
    array_in,
    conditional,
    outcome_last,
    preferences,
    priors,
)
from orchestrator.types.diagnostics import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_TABLES: Final = {
    "A": (
        "A", "A_matrix", "likelihood", "likelihoods", "observation_model", "emission",
        "observation_matrix", "observation_probabilities",
    ),
    "B": (
        "B", "B_matrix", "transition", "transition_model", "transition_matrix", "dynamics",
        "transition_probabilities", "transition_matrices",
    ),
    "C": (
        "C", "C_vector", "preference", "preferences", "prior_preferences", "log_preferences",
        "utility", "rewards",
    ),
    "D": (
        "D", "D_vector", "prior", "initial", "initial_state", "initial_belief",
        "initial_distribution", "initial_state_distribution", "start",
    ),
}  # fmt: skip
_OTHERS = ("name", "description", "parameters", "discount", "type", "version")


def read(text: str) -> Imported:
    """Read a JSON text that holds a flat POMDP."""
    return from_json(text, read_data)


def read_data(source: Mapping[str, object]) -> Imported:
    """Read a JSON object that holds a flat POMDP."""
    found = [
        finding("GMN804", "read as flat POMDP JSON: states, observations, actions, parameters")
    ]
    inside = source.get("parameters")
    parameters = inside if isinstance(inside, dict) else {}
    both = {**parameters, **source}
    spelled = [key for keys in (*_NAMES.values(), *_TABLES.values()) for key in keys]
    # What stands in both places is read from the document, so in the parameters it is left over.
    found += unread(source, (*spelled, *_OTHERS), "the document")
    left = [key for key in (*spelled, *_OTHERS) if key not in source]
    found += unread(parameters, left, "parameters")
    words = {kind: _first(both, keys, kind, found) for kind, keys in _NAMES.items()}
    tables = {kind: _first(both, keys, kind, found) for kind, keys in _TABLES.items()}
    if tables["A"] is None and tables["B"] is None:
        counts = {k: len(w) if isinstance(w, list | dict) else w for k, w in words.items()}
        shown = ", ".join(f"{n} {kind}" for kind, n in counts.items() if isinstance(n, int))
        why = (
            f"it names {shown} and holds no probabilities: add A[state][observation] and"
            f" B[action][from][to], or {AS_PROMPT}"
        )
        return imported(None, [finding("GMN806", why)])
    origins = {"/likelihoods/0": "/parameters/A", "/transitions/0": "/parameters/B"}
    tree = _tree(both, words, tables, found)
    if any(d.severity is Severity.ERROR for d in found):
        return imported(None, found)
    return imported(tree, found, origins if parameters else {})


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
    n, o, u = sizes["states"], sizes["observations"], sizes["actions"]
    named_by = [[str(x) for x in labels] for labels in words.values() if isinstance(labels, list)]
    values = {kind: _listed(table, named_by) for kind, table in tables.items()}
    if values["A"] is not None:
        rows = _table("A", values["A"], (n, o), found)
        tree["likelihoods"] = [{**rows, "of": "observation", "given": ["state"]}]
    if values["B"] is not None:
        given, shape = (["action", "state"], (u, n, n)) if u else (["state"], (n, n))
        rows = _table("B", values["B"], shape, found)
        tree["transitions"] = [{**rows, "of": "state", "given": given}]
    tree["preferences"] = preferences(["observation"], [_vector("C", values["C"], found)])
    tree["priors"] = priors(["state"], [_vector("D", values["D"], found)])
    if "discount" in both:
        tree["policy"] = {"discount": both["discount"]}
    return tree


def _listed(value: object, named_by: Sequence[Sequence[str]], depth: int = 3) -> object:
    """The value with what is keyed by labels in the order of those labels."""
    if isinstance(value, dict) and depth:
        keys = {str(key): part for key, part in value.items()}
        order = next((labels for labels in named_by if set(labels) == set(keys)), None)
        value = value if order is None else [keys[label] for label in order]
    if isinstance(value, list) and depth:
        return [_listed(part, named_by, depth - 1) for part in value]
    return value


def _array(key: str, value: object, found: list[Diagnostic]) -> Array:
    array = array_in(value)
    if array is None:
        words = f"{key} is ragged, or not all numbers, or keyed by what is not all labels"
        found.append(finding("GMN310", words, pointer=f"/parameters/{key}"))
    return np.zeros(0) if array is None else array


def _vector(key: str, value: object, found: list[Diagnostic]) -> Array:
    return np.zeros(0) if value is None else _array(key, value, found).ravel()


def _table(key: str, value: object, sizes: tuple[int, ...], found: list[Diagnostic]) -> Tree:
    """The array with its axes in the order of `sizes`, the outcome last; one level more is fine."""
    array = _array(key, value, found)
    while array.ndim > len(sizes) and array.shape[0] == 1:
        array = array[0]
    # Of B the action comes first, then the state before, then the next one.
    known = [tuple(range(len(sizes))), *([(0, 2, 1), (2, 1, 0)] if len(sizes) == 3 else [(1, 0)])]
    return conditional("", (), outcome_last(key, array, sizes, known, found))
