"""Every sequence of a part's actions at once, as a tree in which equal beliefs are one node."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.engine.parts import Part

    Array = NDArray[np.float64]

#: Rows of a stage; WORTH alone, with ALIVE where something ends, or all of them.
WORTH, ALIVE, MOVED = range(3)
#: So many beliefs are planned sooner than it is found which of them are equal.
FEW = 16
#: Beliefs over more states are compared by sums with random weights, which is faster.
SIGNED = 8
#: Probabilities and utilities nearer than this, relative to their size, differ by rounding alone.
ROUNDING = 1e-9
#: Beliefs that differ by less did not move.
STILL = 1e-9


class Planned(Protocol):
    """A part of a model; what a belief or a batch of beliefs is, it alone knows."""

    part: Part
    actions: NDArray[np.int64]

    def start(self) -> Any: ...
    def joint(self, marginals: Sequence[Array]) -> Any: ...
    def marginals(self, belief: Any) -> list[Array]: ...
    def with_marginal(self, belief: Any, axis: int, wanted: Array) -> Any: ...
    def observe(self, belief: Any, seen: Sequence[int | None]) -> tuple[Any, int, bool]: ...
    def predict(self, belief: Any, action: Sequence[int]) -> Any: ...
    def outcomes(self, belief: Any) -> list[Array]: ...
    def batch(self, belief: Any) -> Any: ...
    def some(self, beliefs: Any, which: Any) -> Any: ...
    @property
    def at_once(self) -> int: ...
    def going_on(self, beliefs: Any) -> tuple[Any, Array]: ...
    def every_way(self, front: Any) -> Any: ...
    def moves(self, front: Any, after: Any) -> Array: ...
    def distinct(self, beliefs: Any) -> tuple[Any, NDArray[np.int64]]: ...
    def action_utility(self, beliefs: Any) -> Array: ...
    def utility(self, beliefs: Any) -> Array: ...
    def information(self, beliefs: Any) -> Array: ...


def stages(part: Planned, front: Any, horizon: int, rows: int, *, gain: bool = True) -> list[Array]:
    """For every step t its first `rows` rows, shape [rows, batch, actions ** (t + 1)], C order.

    `front` is a batch of beliefs. WORTH, of which information is a part if `gain`, is not
    discounted; it and MOVED (1 where the step changes a belief) are weighed by ALIVE, the
    probability that the part had not ended before.
    """
    count, most = len(front[0]) if isinstance(front, list) else len(front), part.at_once
    if count > most:
        cuts = [slice(at, at + most) for at in range(0, count, most)]
        pieces = [stages(part, part.some(front, cut), horizon, rows, gain=gain) for cut in cuts]
        return [np.concatenate(found, axis=1) for found in zip(*pieces, strict=True)]
    front, alive = part.going_on(front)
    after = part.every_way(front)
    worth = part.utility(after).reshape(count, -1) + part.action_utility(front)
    if gain:
        worth = worth + part.information(after).reshape(count, -1)
    made = [worth[None]]
    if rows > 1:
        made = [np.stack([worth, np.ones_like(worth), part.moves(front, after)][:rows])]
    if horizon > 1:
        back: Any = slice(None)
        if worth.size > FEW:
            after, back = part.distinct(after)
        below = stages(part, after, horizon - 1, rows, gain=gain)
        made += [stage[:, back].reshape(rows, count, -1) for stage in below]
    return made if rows == 1 else [stage * alive[:, None] for stage in made]


def summed(found: Sequence[Array], discount: float) -> Array:
    """WORTH of the whole sequences of a batch of one, nothing of which ends, shape [sequences]."""
    value: Array = found[-1][WORTH, 0]
    for stage in reversed(found[:-1]):
        later = discount * value.reshape(stage.shape[2], -1)
        value = (stage[WORTH, 0][:, None] + later).reshape(-1)
    return value


@functools.lru_cache(maxsize=8)
def signatures(states: int) -> Array:
    """Fixed random weights [states, 3] whose sums tell beliefs apart.

    They agree by accident once in a billion times even where beliefs differ by a billionth.
    """
    return np.random.default_rng(0).random((states, 3))


def distinct(beliefs: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the different ones among beliefs [batch, states] lie, and for each which it equals.

    Plans meet: going up and right ends where going right and up does.
    """
    few = beliefs.shape[1] <= SIGNED
    return uniques(beliefs if few else beliefs @ signatures(beliefs.shape[1]))


def uniques(rows: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the different rows lie, rounding aside, and for each which it equals."""
    rounded = np.ascontiguousarray(np.round(rows, 12)) + 0.0
    keys = rounded.view(np.dtype((np.void, rounded.dtype.itemsize * rounded.shape[1]))).reshape(-1)
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    return first, back.reshape(-1)
