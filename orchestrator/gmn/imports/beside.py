"""What `Compiled.to_json` writes beside pymdp's own arguments: where it ends, payoffs, learning."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.codes import finding
from orchestrator.gmn.imports.numbers import array_in
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from orchestrator.gmn.imports.numbers import Array
    from orchestrator.types.diagnostics import Diagnostic

    Tree = dict[str, Any]

_COUNTS = {"pA": "A", "pB": "B", "pD": "D"}
BESIDE = ("terminal", "action_utilities", "learned", "not_in_pymdp", *_COUNTS)
_SECTION = {"A": "likelihoods", "B": "transitions", "D": "priors"}
_MOST_RULES = 100  # of one preference; several add up


def with_beside(
    source: Mapping[str, object], tree: Tree, found: list[Diagnostic]
) -> dict[str, object]:
    """The document with what `source` says beside arrays; what is not understood is noted (803)."""
    for key, add, expected in (
        ("terminal", _end, "one list of true and false for each state"),
        ("action_utilities", _pay, "a list of {states, actions, table}"),
        ("learned", _learn, "a list of {kind, index, concentration}"),
    ):
        said = source.get(key)
        if said is not None and not (isinstance(said, list) and add(tree, said)):
            words = f"{key!r} ignored: expected {expected}, with sizes as the arrays have them"
            found.append(finding("GMN803", words, pointer=f"/{key}", got=key))
    for key, of in _COUNTS.items():
        if source.get(key) is not None and not _count(
            tree[_SECTION[of]], source[key], source.get(of)
        ):
            words = f"{key!r} ignored: only {of} times one number for each table can be read"
            found.append(finding("GMN803", words, pointer=f"/{key}", got=key))
    return tree


def _count(section: Sequence[Tree], said: object, arrays: object) -> bool:
    """Learning from Dirichlet counts, where they are the arrays times what a column is worth."""
    if not (isinstance(said, list) and isinstance(arrays, list)):
        return False
    pairs = [(array_in(one), array_in(other)) for one, other in zip(said, arrays, strict=False)]
    worths: list[float] = []
    for counts, table in pairs:
        if counts is None or table is None or counts.shape != table.shape or not table.any():
            return False
        worths.append(float(counts.sum() / table.sum()))
        if not np.allclose(counts, worths[-1] * table, rtol=1e-6, atol=0):
            return False
    if not len(said) == len(arrays) == len(section) == len(worths):
        return False
    for entry, worth in zip(section, worths, strict=True):
        entry |= {"learn": True, "concentration": round(worth, 9)}
    return True


def _end(tree: Tree, said: Sequence[object]) -> bool:
    """Terminal labels, where there is a mask of the right length for every state."""
    labels = [_labels(state) for state in tree["states"]]
    is_mask = len(said) == len(labels) and all(
        isinstance(mask, list)
        and len(mask) in (0, len(names))
        and all(isinstance(one, bool) for one in mask)
        for mask, names in zip(said, labels, strict=True)
    )
    masks: list[Any] = [*said] if is_mask else []
    for state, names, mask in zip(tree["states"], labels, masks, strict=False):
        if any(mask):
            state["terminal"] = list(itertools.compress(names, mask))
    return is_mask


def _pay(tree: Tree, said: Sequence[object]) -> bool:
    """Utilities of states and actions as rules, where each table has the sizes of its variables."""
    made: list[Tree] = []
    for one in said:
        variables = _variables(tree, one)
        table = array_in(one.get("table")) if isinstance(one, Mapping) else None
        labels = [_labels(variable) for variable in variables]
        if not labels or table is None or table.shape != tuple(map(len, labels)):
            return False
        names = [str(variable["name"]) for variable in variables]
        rules = [*_rules(table, names, labels)]
        for at in range(0, len(rules), _MOST_RULES):
            part = rules[at : at + _MOST_RULES]
            made.append({"on": names[0], "given": names[1:], "rules": part})
    tree["preferences"] += made
    return True


def _rules(table: Array, names: Sequence[str], labels: Sequence[Sequence[str]]) -> Iterator[Tree]:
    """Rules for what is not worth 0; of the last variable, labels of equal worth share one."""
    for place in np.ndindex(table.shape[:-1]):
        look(20, numbers=table.shape[-1])
        row = table[place]
        above = [
            {"var": name, "values": [words[i]]}
            for name, words, i in zip(names, labels, place, strict=False)
        ]
        for value in np.unique(row[row != 0]):
            where = [labels[-1][i] for i in np.flatnonzero(row == value).tolist()]
            yield {"when": [*above, {"var": names[-1], "values": where}], "utility": float(value)}


def _learn(tree: Tree, said: Sequence[object]) -> bool:
    """What is learned, where each entry names a table that there is."""
    entries: list[tuple[Tree, object]] = []
    for one in said:
        if not isinstance(one, Mapping) or one.get("kind") not in _SECTION:
            return False
        section, index = tree[_SECTION[str(one["kind"])]], one.get("index")
        if not _is_index(index, section):
            return False
        entries.append((section[index], one.get("concentration", 1.0)))
    for entry, worth in entries:
        entry |= {"learn": True, "concentration": worth}
    return True


def _variables(tree: Tree, one: object) -> list[Tree]:
    """The states and actions that an entry names by index; none where one is unknown."""
    variables: list[Tree] = []
    for key in ("states", "actions"):
        said = one.get(key) if isinstance(one, Mapping) else None
        if not isinstance(said, list) or not all(_is_index(i, tree[key]) for i in said):
            return []
        variables += [tree[key][i] for i in said]
    return variables


def _labels(variable: Tree) -> list[str]:
    size = min(variable.get("size", 0), HARD_LIMITS.variable_size)  # a larger one is an error
    return variable.get("labels") or [str(i) for i in range(size)]


def _is_index(value: object, of: Sequence[object]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(of)
