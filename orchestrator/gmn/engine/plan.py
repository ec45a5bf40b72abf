"""Every sequence of a part's actions at once, as a tree in which equal beliefs are one node."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.engine.ahead import Ahead
    from orchestrator.gmn.engine.parts import Part

    Array = NDArray[np.float64]

#: Rows of a stage; the first two, or all of them.
WORTH, ALIVE, UTILITY, MOVED = range(4)
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
    planned: int  # from how many beliefs, so far

    def start(self) -> Any: ...
    def joint(self, marginals: Sequence[Array]) -> Any: ...
    def marginals(self, belief: Any) -> list[Array]: ...
    def with_marginal(self, belief: Any, axis: int, wanted: Array) -> Any: ...
    def observe_many(
        self, beliefs: Any, seen: NDArray[np.int64]
    ) -> tuple[Any, NDArray[np.int64], NDArray[np.bool_]]: ...
    def predict_many(self, beliefs: Any, done: NDArray[np.int64]) -> Any: ...
    def outcomes(self, belief: Any) -> list[Array]: ...
    def batch(self, belief: Any) -> Any: ...
    def some(self, beliefs: Any, which: Any) -> Any: ...
    @property
    def at_once(self) -> int: ...
    @property
    def is_wide(self) -> bool: ...
    @property
    def ahead(self) -> Ahead | None: ...
    def going_on(self, beliefs: Any) -> tuple[Any, Array]: ...
    def every_way(self, front: Any) -> Any: ...
    def moves(self, front: Any, after: Any) -> Array: ...
    def distinct(self, beliefs: Any) -> tuple[Any, NDArray[np.int64]]: ...
    def action_utility(self, beliefs: Any) -> Array: ...
    def gains(self, beliefs: Any) -> tuple[Array, Array]: ...


def by_action(done: NDArray[np.int64], at_once: int) -> Iterator[tuple[int, Any]]:
    """Each action of a batch, with the places where it was done, at most so many at once."""
    if len(done) == 1:  # an index array takes longer than what it is for
        yield int(done[0]), slice(None)
        return
    for action in set(done.tolist()):
        rows = np.flatnonzero(done == action)
        for at in range(0, len(rows), at_once):
            yield action, rows[at : at + at_once]


def worths(part: Planned, front: Any, horizon: int, discount: float) -> Array:
    """Discounted WORTH of every sequence of so many steps, none of which ends, [batch, sequences].

    `front` is a batch of beliefs.
    """
    if part.ahead is not None and part.ahead.steps == horizon:
        return part.ahead(front)
    if (cuts := _cuts(part, front)) is not None:
        return np.concatenate([worths(part, cut, horizon, discount) for cut in cuts])
    back: Any = slice(None)
    after = part.every_way(front)
    if len(part.actions) * _count(front) > FEW and (horizon > 1 or part.is_wide):
        after, back = part.distinct(after)
    entered, learned = part.gains(after)
    value: Array = (entered + learned)[back].reshape(_count(front), -1)
    value = value + part.action_utility(front)
    if horizon > 1:
        later = discount * worths(part, after, horizon - 1, discount)[back]
        value = (value[..., None] + later.reshape(*value.shape, -1)).reshape(len(value), -1)
    return value


def stages(part: Planned, front: Any, horizon: int, rows: int) -> list[Array]:
    """For every step t its first `rows` rows, shape [rows, batch, actions ** (t + 1)], C order.

    `front` is a batch of beliefs. WORTH and UTILITY, which is WORTH without information, are not
    discounted; they and MOVED (1 where the step changes a belief) are weighed by ALIVE, the
    probability that the part had not ended before.
    """
    if (cuts := _cuts(part, front)) is not None:
        pieces = [stages(part, cut, horizon, rows) for cut in cuts]
        return [np.concatenate(found, axis=1) for found in zip(*pieces, strict=True)]
    front, alive = part.going_on(front)
    after, count = part.every_way(front), _count(front)
    entered, learned = part.gains(after)
    utility = entered.reshape(count, -1) + part.action_utility(front)
    worth = utility + learned.reshape(count, -1)
    first = [worth, np.ones_like(worth)]
    first += [utility, part.moves(front, after)] if rows > UTILITY else []
    made = [np.stack(first)]
    if horizon > 1:
        back: Any = slice(None)
        if worth.size > FEW:
            after, back = part.distinct(after)
        below = stages(part, after, horizon - 1, rows)
        made += [stage[:, back].reshape(rows, count, -1) for stage in below]
    return [stage * alive[:, None] for stage in made]


def _count(front: Any) -> int:
    return len(front[0]) if isinstance(front, list) else len(front)


def _cuts(part: Planned, front: Any) -> list[Any] | None:
    """A batch as several, where it is larger than is planned at once."""
    count, most = _count(front), part.at_once
    if count <= most:
        return None
    return [part.some(front, slice(at, at + most)) for at in range(0, count, most)]


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


@functools.lru_cache(maxsize=64)
def _mixing(columns: int) -> NDArray[np.int64]:
    """Fixed random odd weights; sums modulo 2**64 of different whole numbers differ by them."""
    return np.random.default_rng(0).integers(0, 2**62, columns) * 2 + 1


def uniques(rows: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the different rows lie, rounding aside, and for each which it equals.

    The numbers are at most a million.
    """
    keys = np.rint(rows * 1e12).astype(np.int64) @ _mixing(rows.shape[1])
    order = keys.argsort(kind="stable")
    ordered = keys[order]
    is_first = np.empty(len(keys), dtype=bool)
    is_first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    back = np.empty(len(keys), dtype=np.int64)
    back[order] = np.cumsum(is_first) - 1
    return order[is_first], back
