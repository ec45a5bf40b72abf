"""Where the episode of a log goes on after a terminal state has ended it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.engine.exact import ExactPart
from orchestrator.types.work import look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.engine import Beliefs
    from orchestrator.gmn.learning.smoothing import Log


def require_ends(model: Compiled, log: Log) -> None:
    """Let no episode go on where the probability that it does is 0, given all rows up to there.

    Raises: ValueError: one does; the message names its line and that of the end.
    """
    if not model.terminal:
        return
    engine = Engine(model, inference="auto")
    if all(isinstance(part, ExactPart) for part in engine.parts):
        _Ends(engine, log).require()


class _Ends:
    """Walks along a log with what is possible: beliefs that are alike wherever they are not 0."""

    def __init__(self, engine: Engine, log: Log) -> None:
        self.engine, self.log = engine, log
        self.start = _possible(engine.start())
        self.anywhere = _possible(tuple(np.ones_like(belief) for belief in self.start))
        # Few beliefs are met, again and again.
        self.known: dict[tuple[object, ...], Beliefs | None] = {}

    def require(self) -> None:
        held = self.start
        for row, begins in enumerate(self.log.starts):
            if not begins and self._has_ended(held):
                raise ValueError(self._words(row, held))
            foreseen = self.start if begins else self._moved(held, row - 1)
            found = self._explained(foreseen, row)
            if found is None:  # begins afresh from any state, as in smoothing
                found = self._explained(self.anywhere, row)
                if found is not None and not begins and self._has_ended(foreseen):
                    raise ValueError(self._words(row, foreseen))
            held = foreseen if found is None else found

    def _has_ended(self, beliefs: Beliefs) -> bool:
        return self.engine.going_on(beliefs) == 0.0

    def _moved(self, beliefs: Beliefs, row: int) -> Beliefs:
        action = np.maximum(self.log.actions[row], 0)
        key = (_key(beliefs), action.tobytes())
        if key not in self.known:
            self.known[key] = _possible(self.engine.predict(beliefs, action))
        return self.known[key] or beliefs

    def _explained(self, beliefs: Beliefs, row: int) -> Beliefs | None:
        """What is possible given a row; None where it shows what the beliefs rule out."""
        look(5)
        seen, states = self.log.observations[row], self.log.states[row]
        key = (_key(beliefs), seen.tobytes(), states.tobytes())
        if key not in self.known:
            recorded = self._recorded(beliefs, states)
            shown = [None if index < 0 else int(index) for index in seen]
            found = None if recorded is None else self.engine.observe(recorded, shown)
            self.known[key] = (
                None if found is None or found.impossible else _possible(found.beliefs)
            )
        return self.known[key]

    def _recorded(self, beliefs: Beliefs, states: NDArray[np.int64]) -> Beliefs | None:
        found = []
        for part, belief in zip(self.engine.parts, beliefs, strict=True):
            at = np.unravel_index(np.arange(len(belief)), part.part.sizes)
            fits = [
                (states[f] < 0) | (at[axis] == states[f])
                for axis, f in enumerate(part.part.factors)
            ]
            found.append(belief * np.logical_and.reduce(fits))
        return _possible(tuple(found)) if all(map(np.any, found)) else None

    def _words(self, row: int, beliefs: Beliefs) -> str:
        model, lines = self.engine.model, self.log.lines
        ended = [
            f"{state.name}={' or '.join(state.names[i] for i in possible[:3])}"
            for state, ends, marginal in zip(
                model.states, model.terminal, self.engine.marginals(beliefs), strict=True
            )
            if np.all(ends[possible := np.flatnonzero(marginal)])
        ]
        what = ended[0] if ended else "a terminal state"
        return (
            f"line {lines[row]}: the episode goes on after {what} has ended it at line"
            f" {lines[row - 1]}; begin another episode there, with another value in a column"
            " named episode"
        )


def _possible(beliefs: Beliefs) -> Beliefs:
    """The same probability for all that is possible."""
    return tuple((belief > 0) / np.count_nonzero(belief) for belief in beliefs)


def _key(beliefs: Beliefs) -> bytes:
    return b"".join(belief.tobytes() for belief in beliefs)
