"""Where an agent acts: the protocol of an environment, and a world sampled from a model."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, cast

import numpy as np

from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.model import nfc
from orchestrator.gmn.rows import Local, as_kept
from orchestrator.parsing.spelling import nearest
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.model import Variable

    Array = NDArray[np.float64]

#: A label or an index by name; what is left out, or None, was not observed.
Observation = Mapping[str, str | SupportsIndex | None]
Action = Mapping[str, str | SupportsIndex]
Seed = int | tuple[int, int] | np.random.Generator | None
_MOST_NAMED = 12


class Environment(Protocol):
    """What an agent acts in: Gymnasium's two calls, with labels in place of numbers."""

    def reset(self, *, seed: int | None = None) -> tuple[Observation, Mapping[str, Any]]:
        """Begin an episode; give the first observation and what else is known.

        The true label of each hidden state, where it is known, stands under ``"state"``.
        """

    def step(
        self, action: dict[str, str]
    ) -> tuple[Observation, float, bool, bool, Mapping[str, Any]]:
        """Act; give observation, reward, terminated, truncated and what else is known."""


def indices(
    kind: str, variables: Sequence[Variable], given: Mapping[str, str | SupportsIndex | None]
) -> list[int | None]:
    """The index of each variable's value, None where `given` has none.

    Raises:
        TypeError: `given` is not a mapping, or a value is neither a label nor an index.
        ValueError: a name or a label is not one of the model's; the message lists what is (903).
    """
    if not isinstance(cast("object", given), Mapping):  # callers without types
        shown = ", ".join(f"{v.name!r}: {v.names[0]!r}" for v in variables)
        raise TypeError(f"{kind} is {type(given).__name__}, expected a mapping such as {{{shown}}}")
    named = {nfc(str(name)): value for name, value in given.items()}
    for name in named.keys() - {v.name for v in variables}:
        raise ValueError(
            unknown(f"{kind} {reprlib.repr(name)} is not", name, [v.name for v in variables])
        )
    return [_index(kind, v, named.get(v.name)) for v in variables]


def _index(kind: str, variable: Variable, value: str | SupportsIndex | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        label = nfc(value)
        if label not in variable.names:
            words = f"{kind} {variable.name} cannot be {reprlib.repr(value)}; it is not"
            raise ValueError(unknown(words, label, variable.names))
        return variable.names.index(label)
    index = _number(value)
    if index is None:
        raise TypeError(
            f"{kind} {variable.name} is {reprlib.repr(value)}, expected a label or an index"
        )
    if not 0 <= index < variable.n:
        words = f"GMN903: {kind} {variable.name} cannot be {reprlib.repr(index)}"
        raise ValueError(f"{words}; an index is from 0 to {variable.n - 1}")
    return index


def _number(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        return None


def whole(name: str, value: object, least: int | None = None) -> int:
    """`value` as a whole number, of Python or of numpy.

    Raises: TypeError: it is none; ValueError: it is below `least`.
    """
    number = _number(value)
    if number is None:
        raise TypeError(f"{name} must be a whole number, got {reprlib.repr(value)}")
    if least is not None and number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number


def generator(seed: Seed) -> np.random.Generator:
    """The random generator of a seed.

    Raises: TypeError, ValueError: it is neither whole numbers from 0 nor a generator nor None.
    """
    if isinstance(seed, tuple):
        return np.random.default_rng([whole("seed", one, 0) for one in seed])
    is_number = not (seed is None or isinstance(seed, np.random.Generator))
    return np.random.default_rng(whole("seed", seed, 0) if is_number else seed)


def unknown(words: str, word: str, known: Sequence[str]) -> str:
    """`words`, what is known, and which of it is meant."""
    near = nearest(word, known)
    hint = f"; did you mean {near!r}?" if near else ""
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return f"GMN903: {words} one of {', '.join(known[:_MOST_NAMED])}{more}{hint}"


def labels(variables: Sequence[Variable], found: Iterable[Any]) -> dict[str, str]:
    """The label of each variable's value, from its index."""
    return {v.name: v.names[int(i)] for v, i in zip(variables, found, strict=True)}


class World:
    """An `Environment` that samples states and observations from a model.

    It has a state from the start. The reward is what the model prefers, in nats: the utility of
    doing that there, of what is observed and of the new state.
    """

    def __init__(self, model: Compiled, seed: Seed = 0) -> None:
        if not isinstance(cast("object", model), Compiled):  # callers without types
            raise TypeError(f"model is {type(model).__name__}, expected arrays: Agent(spec).model")
        self.model = model
        self.rng = generator(seed)
        self.state = [self._draw(d) for d in model.D]

    @property
    def has_ended(self) -> bool:
        """Whether a factor is in a terminal state."""
        ends = zip(self.model.terminal, self.state, strict=False)
        return any(bool(terminal[index]) for terminal, index in ends)

    def reset(self, *, seed: int | None = None) -> tuple[dict[str, str], dict[str, Any]]:
        """As `Environment.reset`; without a seed the generator goes on."""
        if seed is not None:
            self.rng = generator(seed)
        self.state = [self._draw(d) for d in self.model.D]
        return labels(self.model.observations, self.observe()), self._true()

    def step(self, action: Action) -> tuple[dict[str, str], float, bool, bool, dict[str, Any]]:
        """As `Environment.step`.

        Raises:
            RuntimeError: the episode has ended.
            TypeError, ValueError: an action is missing, or is not one of the model's.
        """
        if self.has_ended:
            raise RuntimeError("the episode has ended in a terminal state; call reset()")
        chosen = indices("action", self.model.actions, action)
        if None in chosen:
            missing = self.model.actions[chosen.index(None)]
            raise ValueError(f"action {missing.name} is missing; {_possible(missing)}")
        done = np.array(chosen)
        reward = sum(
            float(u.table[(*(self.state[f] for f in u.states), *done[list(u.actions)])])
            for u in self.model.action_utilities
        )
        self.act(done)
        seen = self.observe()
        reward += sum(float(c[i]) for c, i in zip(self.model.C, seen, strict=True))
        reward += sum(float(v[i]) for v, i in zip(self.model.V, self.state, strict=True))
        seen_labels = labels(self.model.observations, seen)
        return seen_labels, reward, self.has_ended, False, self._true()

    def _true(self) -> dict[str, Any]:
        return {"state": labels(self.model.states, self.state)}

    def observe(self) -> list[int]:
        """Sample one observation index per modality."""
        look(30 * len(self.model.A))
        return [
            self._draw(column(a, [self.state[f] for f in parents]))
            for a, parents in zip(self.model.A, self.model.A_dependencies, strict=True)
        ]

    def act(self, action: NDArray[np.int64]) -> None:
        """Sample the next state of every factor, all from the same previous state."""
        before = list(self.state)
        for f, b in enumerate(as_kept(self.model.B)):
            parents = [before[g] for g in self.model.B_dependencies[f]]
            controls = [int(action[k]) for k in self.model.B_action_dependencies[f]]
            context = [*parents, *controls]
            if isinstance(b, Local):
                self.state[f] = int(entered(b, [[i] for i in context], self.rng.random())[0])
            else:
                self.state[f] = self._draw(column(b, context))

    def _draw(self, distribution: Array) -> int:
        """As `drawn` of one distribution, which takes half the time."""
        below = distribution.cumsum().searchsorted(self.rng.random(), side="right")
        return min(int(below), len(distribution) - 1)


def _possible(variable: Variable) -> str:
    return f"it is one of {', '.join(variable.names[:_MOST_NAMED])}"


def column(array: Array, context: Sequence[Any]) -> Array:
    """p(. | context), [values]; [values, batch] where `context` holds an array for each parent."""
    at: tuple[Any, ...] = (slice(None), *context)
    found: Array = array[at]
    return found


def entered(
    table: Array | Local, context: Sequence[Any], chances: Array | float
) -> NDArray[np.int64]:
    """The next value of each of a batch; `context` holds an array for each parent and action."""
    if not isinstance(table, Local):
        return drawn(column(table, context), chances)
    rows = table.at(context)
    lengths = np.diff(rows.start)
    p = np.zeros((lengths.max(), len(rows)))
    p[np.arange(len(rows.p)) - rows.start[rows.row], rows.row] = rows.p
    at = rows.start[:-1] + np.minimum(drawn(p, chances), lengths - 1)
    values: NDArray[np.int64] = rows.state[at]
    return values


def drawn(distributions: Array, chances: Array | float) -> NDArray[np.int64]:
    """The value of each of `distributions` [values, batch] for a number in [0, 1) of each."""
    below = (np.cumsum(distributions, axis=0) <= chances).sum(axis=0)
    values: NDArray[np.int64] = np.minimum(below, len(distributions) - 1)
    return values
