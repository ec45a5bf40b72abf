"""Two older spellings made of bare arrays: flat POMDP JSON, and pymdp's argument lists.

Neither says much; both are read by shape and by which axis sums to 1, never by guess.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, TypeGuard, cast

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.orientation import MOST_AXES, oriented

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from orchestrator.types.diagnostics import Diagnostic

Tree = dict[str, object]

#: Two priors over policies this near are the same one.
EXACT = 1e-9
#: Linear-Gaussian models are made of these; the language is about discrete ones.
_CONTINUOUS = ("F", "H", "Q", "R", "prior_mean", "prior_cov")
_FLAT_KEYS = ("name", "description", "states", "observations", "actions", "parameters")
_FLAT_PARAMETERS = ("A", "B", "C", "D")
_SIZES = ("num_states", "num_obs", "num_controls", "num_actions")
_ARRAYS = ("A", "B", "C", "D", "E", "V")
_DEPENDENCIES = ("A_dependencies", "B_dependencies", "B_action_dependencies")
_POLICY = {
    "policy_len": "horizon",
    "gamma": "gamma",
    "use_states_info_gain": "info_gain",
    "action_selection": "selection",
    "discount": "discount",
}
_ARRAYS_KEYS = ("name", "description", "labels", *_SIZES, *_ARRAYS, *_DEPENDENCIES, *_POLICY)


def unread(source: Mapping[str, object], read: Sequence[str], where: str) -> list[Diagnostic]:
    """Findings on what `source` has beside `read`: a continuous model is refused."""
    left = [key for key in source if key not in read]
    continuous = [key for key in left if key in _CONTINUOUS]
    if continuous:
        words = (
            f"{', '.join(continuous)} in {where}: a linear-Gaussian model; only discrete ones run"
        )
        return [finding("GMN802", words, got=continuous[0])]
    return [finding("GMN803", f"{key!r} of {where} ignored", got=key) for key in left]


def is_flat_pomdp(source: Mapping[str, object]) -> bool:
    """``{states: [labels], observations: [labels], parameters: {A, B, C, D}}``."""
    return isinstance(source.get("parameters"), dict) and _is_labels(source.get("states"))


def is_arrays(source: Mapping[str, object]) -> bool:
    """``{A, B, …}`` with sizes given or readable from the arrays; nothing else names variables."""
    return isinstance(source.get("A"), list) and not isinstance(source.get("states"), list)


def read_flat_pomdp(source: Mapping[str, object]) -> tuple[Tree, list[Diagnostic]]:
    """One factor, one modality, at most one action: A[state][observation], B[action][from][to]."""
    found = [
        finding("GMN804", "read as flat POMDP JSON: states, observations, actions, parameters")
    ]
    parameters = source["parameters"]
    assert isinstance(parameters, dict)  # is_flat_pomdp said so
    found += unread(source, (*_FLAT_KEYS, "discount"), "the document")
    inside = () if "discount" in source else ("discount",)
    found += unread(parameters, (*_FLAT_PARAMETERS, *inside), "parameters")
    labels = {key: source.get(key) for key in ("states", "observations", "actions")}
    tree: Tree = _named(source)
    for key, name in (("states", "state"), ("observations", "observation"), ("actions", "action")):
        words = labels[key]
        tree[key] = [{"name": name, "labels": list(words)}] if _is_labels(words) else []
    sizes = {key: len(words) if _is_labels(words) else 0 for key, words in labels.items()}
    n, o, u = sizes["states"], sizes["observations"], sizes["actions"]
    tree["likelihoods"] = [
        _conditional(
            "observation", ["state"], _oriented(parameters.get("A"), (n, o), (0, 1), found)
        )
    ]
    given, shape = (["action", "state"], (u, n, n)) if u else (["state"], (n, n))
    order = tuple(range(len(shape)))
    tree["transitions"] = [
        _conditional("state", given, _oriented(parameters.get("B"), shape, order, found))
    ]
    tree["preferences"] = _preferences(["observation"], [_flat(parameters.get("C"))])
    tree["priors"] = _priors(["state"], [_flat(parameters.get("D"))])
    if "discount" in (both := {**parameters, **source}):
        tree["policy"] = {"discount": both["discount"]}
    return tree, found


def read_arrays(source: Mapping[str, object]) -> tuple[Tree, list[Diagnostic]]:
    """Arrays in pymdp's layout: A[m] is [outcome, states…], B[f] is [next, states…, actions…]."""
    found = [finding("GMN804", "read as arrays in pymdp's layout: A, B, C, D")]
    found += unread(source, _ARRAYS_KEYS, "the document")
    a, b = _tables(source, "A", found), _tables(source, "B", found)
    n_factors = len(b)
    a_parents = _parents(source.get("A_dependencies"), [range(min(n_factors, MOST_AXES))] * len(a))
    b_parents = _parents(source.get("B_dependencies"), [[f] for f in range(n_factors)])
    b_actions = _parents(
        source.get("B_action_dependencies"),
        [[f] if table.ndim > 2 else [] for f, table in enumerate(b)],
    )
    states = _variables(source, "states", [table.shape[0] for table in b])
    observations = _variables(source, "observations", [table.shape[0] for table in a])
    actions = _variables(source, "actions", _action_sizes(source, b, b_parents, b_actions))
    s, o, u = (_names(variables) for variables in (states, observations, actions))
    tree: Tree = {
        **_named(source),
        "states": states,
        "observations": observations,
        "actions": actions,
        "likelihoods": [
            _conditional(o[m], [s[f] for f in a_parents[m]], np.moveaxis(table, 0, -1))
            for m, table in enumerate(a)
        ],
        "transitions": [
            _conditional(
                s[f],
                [s[g] for g in b_parents[f]] + [u[k] for k in b_actions[f]],
                np.moveaxis(table, 0, -1),
            )
            for f, table in enumerate(b)
        ],
        "preferences": _preferences(o, _vectors(source.get("C")))
        + _preferences(s, _vectors(source.get("V"))),
        "priors": _priors(s, _vectors(source.get("D"))),
    }
    policy = {ours: source[theirs] for theirs, ours in _POLICY.items() if theirs in source}
    sizes = [_size(action) for action in actions]
    habits = _habits(source, u, sizes, policy.get("horizon", 1), found)
    return {**tree, "habits": habits, **({"policy": policy} if policy else {})}, found


def _named(source: Mapping[str, object]) -> Tree:
    return {"name": "agent", **{k: source[k] for k in ("name", "description") if k in source}}


def _size(variable: Tree) -> int:
    labels = variable.get("labels")
    return len(labels) if isinstance(labels, list) else cast("int", variable["size"])


def _habits(
    source: Mapping[str, object],
    names: Sequence[str],
    sizes: Sequence[int],
    horizon: object,
    found: list[Diagnostic],
) -> list[Tree]:
    """E, the prior over policies, as weights per action where it is such a product (803)."""
    prior = _flat(source.get("E"))
    if prior.size == 0 or not sizes or np.ptp(prior) <= EXACT:
        return []
    steps = horizon if isinstance(horizon, int) and horizon > 0 else 1
    if prior.size != math.prod(sizes) ** steps or prior.sum() <= 0:
        found.append(finding("GMN803", f"'E' ignored: its {prior.size} weights fit no policies"))
        return []
    whole = (prior / prior.sum()).reshape(list(sizes) * steps)
    axes = range(whole.ndim)
    weights = [whole.sum(axis=tuple(x for x in axes if x != k)) for k in range(len(sizes))]
    product = functools.reduce(np.multiply.outer, [w for _ in range(steps) for w in weights])
    if not np.allclose(product, whole, rtol=0, atol=EXACT):
        found.append(finding("GMN803", "'E' ignored: it is not a product of weights per action"))
        return []
    return [{"action": name, "weights": w.tolist()} for name, w in zip(names, weights, strict=True)]


def _is_labels(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _array(value: object) -> NDArray[np.float64] | None:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None  # ragged or not numbers: conform says where


def _flat(value: object) -> NDArray[np.float64]:
    array = _array(value if value is not None else [])
    return array.ravel() if array is not None else np.array([])


def _tables(
    source: Mapping[str, object], key: str, found: list[Diagnostic]
) -> list[NDArray[np.float64]]:
    """One array per variable; a lone array counts as a list of one."""
    value = source.get(key)
    items = value if isinstance(value, list) else []
    alone = _array(items)
    if alone is not None and alone.ndim == 2:
        return [alone]
    arrays: list[NDArray[np.float64]] = []
    for index, item in enumerate(items):
        array = _array(item)
        if array is None or array.ndim < 2:
            words = f"{key}[{index}] is not an array of numbers with at least two axes"
            found.append(finding("GMN008", words, pointer=f"/{key}/{index}"))
        else:
            arrays.append(array)
    return arrays


def _vectors(value: object) -> list[NDArray[np.float64]]:
    items = value if isinstance(value, list) else []
    alone = _array(items)
    if alone is not None and alone.ndim == 1 and alone.size:
        return [alone]
    return [_flat(item) for item in items]


def _parents(value: object, default: Sequence[Sequence[int]]) -> list[list[int]]:
    if not isinstance(value, list) or len(value) != len(default):
        return [list(parents) for parents in default]
    return [[p for p in parents if isinstance(p, int)] for parents in value]


def _action_sizes(
    source: Mapping[str, object],
    b: Sequence[NDArray[np.float64]],
    parents: Sequence[Sequence[int]],
    actions: Sequence[Sequence[int]],
) -> list[int]:
    for key in ("num_controls", "num_actions"):
        sizes = source.get(key)
        if isinstance(sizes, list) and all(isinstance(size, int) for size in sizes):
            return sizes
    sizes_by_action = {
        k: table.shape[1 + len(parents[f]) + i]
        for f, table in enumerate(b)
        for i, k in enumerate(actions[f])
        if table.ndim > 1 + len(parents[f]) + i
    }
    return [sizes_by_action[k] for k in sorted(sizes_by_action)]


def _variables(source: Mapping[str, object], kind: str, sizes: Sequence[int]) -> list[Tree]:
    labels = source.get("labels")
    named = labels.get(kind) if isinstance(labels, dict) else None
    if isinstance(named, dict) and len(named) == len(sizes):
        return [{"name": name, "labels": list(words)} for name, words in named.items()]
    stem = {"states": "s", "observations": "o", "actions": "u"}[kind]
    return [{"name": f"{stem}{i}", "size": size} for i, size in enumerate(sizes)]


def _names(variables: Sequence[Tree]) -> list[str]:
    return [str(variable["name"]) for variable in variables]


def _oriented(
    value: object, sizes: tuple[int, ...], prefer: tuple[int, ...], found: list[Diagnostic]
) -> NDArray[np.float64]:
    """The array with its axes in the order of `sizes`, the outcome last."""
    array = _array(value if value is not None else [])
    if array is None or array.ndim != len(sizes):
        return array if array is not None else np.array([])
    proof = oriented(array, sizes, prefer=prefer)
    if proof is None:
        return array
    if proof.is_ambiguous:
        orders = ", ".join(str(order) for order in proof.orders)
        used = proof.orders[0]
        found.append(finding("GMN801", f"axis order ambiguous: {orders} fit, used {used}"))
    return proof.array


def _conditional(of: str, given: Sequence[str], table: NDArray[np.float64]) -> Tree:
    rows = table.reshape(-1, table.shape[-1]) if table.ndim and table.size else table
    return {"of": of, "given": list(given), "table": {"kind": "rows", "rows": rows.tolist()}}


def _preferences(names: Sequence[str], values: Sequence[NDArray[np.float64]]) -> list[Tree]:
    return [
        {"on": name, "values": vector.tolist()}
        for name, vector in zip(names, values, strict=False)
        if vector.size and np.any(vector != 0)
    ]


def _priors(names: Sequence[str], values: Sequence[NDArray[np.float64]]) -> list[Tree]:
    return [
        {"of": name, "given": [], "table": {"kind": "rows", "rows": [vector.tolist()]}}
        for name, vector in zip(names, values, strict=False)
        if vector.size
    ]
