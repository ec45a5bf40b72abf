"""What an agent gains in its own world, computed over everything that it can observe.

An average over episodes misses what is rare; this does not.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.engine.choice import best
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.engine.exact import ExactPart
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.engine import Beliefs

    Array = NDArray[np.float64]

#: The most beliefs from which the agent chooses, over all steps.
MOST_BELIEFS = 5_000
#: What is less probable is left out.
NEGLIGIBLE = 1e-12
_MOST_OUTCOMES = 4_096  # of one step, of all parts together
_Weighed = dict[bytes, tuple[float, "Beliefs"]]


def expected_utility(
    agent: Compiled | Engine, *, steps: int, most: int = MOST_BELIEFS
) -> float | None:
    """Expected utility in nats, discounted, of an episode of `steps` acts, without information.

    None where it cannot be computed so: beliefs are not exact, tables are learned, a step has too
    many outcomes, or the agent chooses from more than `most` beliefs.
    """
    engine = agent if isinstance(agent, Engine) else Engine(agent)
    model = engine.model
    parts = [part for part in engine.parts if isinstance(part, ExactPart)]
    if model.learned or not engine.is_exact or not _few_outcomes(parts):
        return None
    total, count = 0.0, 0
    front: _Weighed = {b"": (1.0, engine.start())}
    for _ in range(steps):
        seen = _merged(
            (weight * chance, after)
            for weight, before in front.values()
            for chance, after in _observed(parts, before)
        )
        count += len(seen)
        if count > most:
            return None
        moves = [
            (weight * chance, beliefs, action)
            for weight, beliefs in seen.values()
            for chance, action in _chosen(engine, beliefs)
        ]
        following = []
        for weight, beliefs, action in moves:
            alive = weight * engine.going_on(beliefs)
            if alive <= NEGLIGIBLE:
                continue
            after = engine.predict(beliefs, action)
            total += alive * (engine.action_utility(beliefs, action) + engine.utility(after))
            following.append((alive * model.discount, after))
        front = _merged(following)
    return total


def _few_outcomes(parts: Sequence[ExactPart]) -> bool:
    is_joint = all(len(part.tables) <= 1 for part in parts)
    return is_joint and math.prod(part.part.outcomes for part in parts) <= _MOST_OUTCOMES


def _observed(parts: Sequence[ExactPart], beliefs: Beliefs) -> Iterator[tuple[float, Beliefs]]:
    """Every outcome's probability, and the beliefs after it."""
    apart = []
    for part, belief in zip(parts, beliefs, strict=True):
        table = part.tables[0] if part.tables else np.ones((len(belief), 1))
        look(100, numbers=table.size)
        together = belief[:, None] * table
        chances = together.sum(axis=0)
        kept = np.flatnonzero(chances > NEGLIGIBLE)
        apart.append([(float(chances[k]), together[:, k] / chances[k]) for k in kept])
    for outcome in itertools.product(*apart):
        yield math.prod(chance for chance, _ in outcome), tuple(after for _, after in outcome)


def _chosen(engine: Engine, beliefs: Beliefs) -> list[tuple[float, NDArray[np.int64]]]:
    choice = best(engine, beliefs)
    if engine.model.selection != "stochastic":
        return [(1.0, choice.action)]
    drawn = np.flatnonzero(choice.first > NEGLIGIBLE)
    return [(float(choice.first[a]), engine.joint_actions[a]) for a in drawn]


def _merged(weighed: Iterable[tuple[float, Beliefs]]) -> _Weighed:
    """Equal beliefs, rounding aside, with the sum of their weights."""
    found: _Weighed = {}
    for weight, beliefs in weighed:
        if weight > NEGLIGIBLE:
            key = b"".join((np.round(q, 10) + 0.0).tobytes() for q in beliefs)
            before = found.get(key, (0.0, beliefs))
            found[key] = (before[0] + weight, beliefs)
    return found
