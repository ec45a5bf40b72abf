"""A strict reader of ``.POMDP`` files, written from the format's description alone.

It takes what the grammar at https://www.pomdp.org/code/pomdp-file-grammar.html takes and nothing
else, one line after the other; every array is written out in full.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

KEYS = ("discount", "values", "states", "actions", "observations", "start", "T", "O", "R")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
FLOAT = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Problem:
    """T [a, s, s'], O [a, s', o], R [a, s, s', o]."""

    discount: float
    states: list[str]
    actions: list[str]
    observations: list[str]
    start: Array
    T: Array
    O: Array  # noqa: E741  as the format calls it
    R: Array


def strictly(text: str) -> Problem:
    """The problem of a file; an assertion fails where it does not keep to the grammar."""
    sections: list[tuple[str, list[str]]] = []
    for line in re.sub(r"#.*", "", text).splitlines():
        head = re.match(r"(\w+)\s*:", line)
        if head and head[1] in KEYS:
            sections.append((head[1], line[head.end() :].replace(":", " : ").split()))
        elif line.strip():
            sections[-1][1].extend(line.split())
    once = {key: body for key, body in sections if key not in "TOR"}
    assert [key for key, _ in sections[:5]] == list(KEYS[:5])
    assert once["values"] == ["reward"]
    s, a, o = (_names(once[key]) for key in ("states", "actions", "observations"))
    made = Problem(
        float(once["discount"][0]), s, a, o, _start(once["start"], s),
        np.zeros((len(a), len(s), len(s))), np.zeros((len(a), len(s), len(o))),
        np.zeros((len(a), len(s), len(s), len(o))),
    )  # fmt: skip
    axes = {"T": (a, s, s), "O": (a, s, o), "R": (a, s, s, o)}
    for key, body in sections:
        if key in axes:
            _put(getattr(made, key), axes[key], body)
    assert np.allclose(made.T.sum(-1), 1, rtol=0, atol=1e-9)
    assert np.allclose(made.O.sum(-1), 1, rtol=0, atol=1e-9)
    return made


def _names(body: list[str]) -> list[str]:
    if len(body) == 1 and body[0].isdigit():
        return [str(i) for i in range(int(body[0]))]
    assert all(NAME.fullmatch(word) for word in body)
    assert len(set(body)) == len(body)
    return body


def _start(body: list[str], states: list[str]) -> Array:
    if body == ["uniform"]:
        return np.full(len(states), 1 / len(states))
    assert all(FLOAT.fullmatch(word) for word in body)
    assert abs(sum(map(float, body)) - 1) < 1e-9
    assert len(body) == len(states)
    return np.array([float(word) for word in body])


def _put(table: Array, axes: tuple[list[str], ...], body: list[str]) -> None:
    refs = [body[0]]
    at = 1
    while at < len(body) and body[at] == ":":
        refs.append(body[at + 1])
        at += 2
    rest = table.shape[len(refs) :]
    assert len(rest) <= 2
    values: Array
    if body[at:] == ["uniform"]:
        values = np.full(rest, 1 / rest[-1])
    elif body[at:] == ["identity"]:
        values = np.eye(rest[0])
    else:
        assert all(FLOAT.fullmatch(word) for word in body[at:])
        values = np.array([float(word) for word in body[at:]]).reshape(rest)
    meant = [
        range(len(names)) if ref == "*" else [names.index(ref)]
        for names, ref in zip(axes, refs, strict=False)
    ]
    for place in itertools.product(*meant):
        table[place] = values
