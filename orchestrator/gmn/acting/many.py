"""Many agents of one model at once, and many worlds; their episodes as one batch.

Arrays hold one row for each agent and count labels from 0, as in Gymnasium's vector environments;
-1 is what was not observed. Contingent plans and mean-field observations are computed in turn
inside. Agents that learn have tables of their own, so their episodes run one after another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.acting.episode import Run, Step
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.acting.world import column, drawn, entered, generator, unknown, whole
from orchestrator.gmn.engine.choice import choose_many
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.rows import as_kept
from orchestrator.types.errors import GMNError
from orchestrator.types.work import look, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.engine import Beliefs
    from orchestrator.gmn.model import Variable

    Array = NDArray[np.float64]
    Indices = NDArray[np.int64]

#: The most numbers of the beliefs and of the columns that are drawn from in one batch (32 MB).
BATCH_NUMBERS = 2**22
#: The most episodes of one batch; more of them are not faster.
MOST_EPISODES = 256
#: Seeds: of all agents, or the first of consecutive ones.
Seeds = int | Sequence[int]


def seeds_of(seed: Seeds, count: int) -> list[int]:
    """The seed of each: consecutive ones from an int, else as they are given.

    Raises: TypeError, ValueError: they are not `count` whole numbers from 0.
    """
    if isinstance(seed, Sequence):
        if len(seed) != count:
            raise ValueError(f"{len(seed)} seeds are given for {count} agents")
        return [whole("seed", one, 0) for one in seed]
    return list(range(first := whole("seed", seed, 0), first + count))


class Agents:
    """`count` agents of one model, which differ in what they observe and believe.

    Each acts as an `Agent` with its seed would. Of `llm_query` nodes nothing is asked.

    Attributes:
        engine: what they think with.
        held: their beliefs, as the engine holds them.
        surprised: for each, how many modalities showed at this step what its beliefs had ruled out.
        settled: for each, whether its beliefs converged at this step.
        depth: for each, how many steps its last choice looked ahead.
    """

    def __init__(self, model: Compiled | Engine, count: int, *, seed: Seeds = 0) -> None:
        """`model` is that of an agent, ``Agent(spec).model``; agent i draws from ``seed + i``.

        Raises: GMNError: the model learns, or so many beliefs do not fit.
        """
        self.engine = model if isinstance(model, Engine) else Engine(model)
        self.count = whole("count", count, 1)
        if self.engine.model.learned:
            words = "agents that learn have tables of their own; make an Agent for each"
            raise GMNError(f"many agents cannot share a model with learn: true: {words}")
        if self.count > (most := most_at_once(self.engine)):
            raise GMNError(f"{count:,} agents of this model are more than {most:,}; make fewer")
        self.reset(seed)

    def reset(self, seed: Seeds | None = None) -> None:
        """Begin an episode from the priors; without a seed the random generators go on."""
        if seed is not None:
            self._rngs = [generator(one) for one in seeds_of(seed, self.count)]
        priors = self.engine.batch(self.engine.start())
        self.held: Beliefs = self.engine.some(priors, np.zeros(self.count, dtype=np.int64))
        self.surprised, self.settled = (
            np.zeros(self.count, dtype=np.int64),
            np.ones(self.count, bool),
        )
        self.depth = np.zeros(self.count, dtype=np.int64)
        self._is_observed = False

    @property
    def beliefs(self) -> dict[str, Array]:
        """q(s) of every hidden state, [count, labels]."""
        held = zip(self.engine.model.states, self.engine.marginals(self.held), strict=True)
        return {v.name: q for v, q in held}

    def observe(self, observations: Mapping[str, Any]) -> dict[str, Array]:
        """Take in an index of each agent by modality, [count] each; give `beliefs`.

        A modality that is left out, and -1, was not observed. What a belief had ruled out is left
        out of it and counted in `surprised`.

        Raises: RuntimeError: this step was observed already.
            TypeError, ValueError: a name or an index is not one of the model's (903).
        """
        if self._is_observed:
            raise RuntimeError("this step is observed already: call act()")
        variables = self.engine.model.observations
        seen = _rows("observation", variables, observations, self.count, least=-1)
        found = self.engine.observe_many(self.held, seen)
        self.held, self.surprised, self.settled = found
        self._is_observed = True
        return self.beliefs

    def act(self) -> dict[str, Indices]:
        """Choose for every agent: an index by action, [count] each; beliefs become predictions.

        Raises: RuntimeError: this step is not observed yet.
        """
        if not self._is_observed:
            raise RuntimeError("act() needs what is observed at this step: call observe() first")
        actions, self.depth = choose_many(self.engine, self.held, self._rngs)
        self.held, self._is_observed = self.engine.predict_many(self.held, actions), False
        return {v.name: actions[:, k] for k, v in enumerate(self.engine.model.actions)}

    def step(self, observations: Mapping[str, Any]) -> dict[str, Indices]:
        """`observe`, then `act`."""
        self.observe(observations)
        return self.act()


def _rows(
    kind: str, variables: Sequence[Variable], given: Mapping[str, Any], count: int, least: int
) -> Indices:
    """One index by variable for each agent, [count, variables]; -1 for what is left out."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{kind}s are {type(given).__name__}, expected arrays by name")
    for name in given.keys() - {v.name for v in variables}:
        raise ValueError(unknown(f"{kind} {name!r} is not", name, [v.name for v in variables]))
    made = np.full((count, len(variables)), -1, dtype=np.int64)
    for at, v in enumerate(variables):
        if v.name not in given:
            continue
        values = np.asarray(given[v.name])
        if values.shape != (count,) or values.dtype.kind not in "iu":
            shown = f"{values.dtype} of shape {values.shape}"
            raise TypeError(f"{kind} {v.name} is {shown}, expected integers of shape ({count},)")
        if ((values < least) | (values >= v.n)).any():
            raise ValueError(f"GMN903: {kind} {v.name} has an index beyond {least} to {v.n - 1}")
        made[:, at] = values
    return made


def most_at_once(engine: Engine, world: Compiled | None = None) -> int:
    """Of how many agents of a model, in a world, the beliefs and columns fit `BATCH_NUMBERS`."""
    one = sum(
        np.size(q) if isinstance(q, np.ndarray) else sum(map(np.size, q)) for q in engine.start()
    )
    model = world or engine.model
    one += max(v.n for v in (*model.states, *model.observations))
    return max(1, BATCH_NUMBERS // one)


class Worlds:
    """The states of many worlds of one model, each sampled by its own generator."""

    def __init__(self, model: Compiled, rngs: Sequence[np.random.Generator]) -> None:
        self.model, self.rngs = model, list(rngs)
        chances = self._chances(len(model.D))
        self.states = np.stack(
            [drawn(d[:, None], chances[:, f]) for f, d in enumerate(model.D)], axis=1
        )

    def _chances(self, count: int) -> Array:
        """So many numbers of each generator, [worlds, count]."""
        return np.stack([rng.random(count) for rng in self.rngs])

    @property
    def have_ended(self) -> NDArray[np.bool_]:
        """Of each, whether a factor is in a terminal state."""
        ended = np.zeros(len(self.states), dtype=bool)
        for f, terminal in enumerate(self.model.terminal):
            ended |= terminal[self.states[:, f]]
        return ended

    def keep(self, which: Indices) -> None:
        """Go on with those alone."""
        self.states, self.rngs = self.states[which], [self.rngs[i] for i in which.tolist()]

    def observe(self) -> Indices:
        """Sample an index of every modality, [worlds, modalities]."""
        model, chances = self.model, self._chances(len(self.model.A))
        look(30 * len(model.A), numbers=2 * len(chances) * sum(v.n for v in model.observations))
        seen = np.empty(chances.shape, dtype=np.int64)
        for m, (a, parents) in enumerate(zip(model.A, model.A_dependencies, strict=True)):
            seen[:, m] = drawn(column(a, [self.states[:, f] for f in parents]), chances[:, m])
        return seen

    def act(self, actions: Indices) -> None:
        """Sample the next state of every factor, all from the same previous state."""
        model, before, after = self.model, self.states, np.empty_like(self.states)
        chances = self._chances(len(model.B))
        look(30 * len(model.B), numbers=2 * len(chances) * sum(v.n for v in model.states))
        for f, b in enumerate(as_kept(model.B)):
            at = [before[:, g] for g in model.B_dependencies[f]]
            at += [actions[:, k] for k in model.B_action_dependencies[f]]
            after[:, f] = entered(b, at, chances[:, f])
        self.states = after


def simulate_many(
    engine: Engine, *, steps: int, seeds: range, world: Compiled | None = None
) -> Iterator[Run]:
    """`simulate` with each of the seeds, in batches; the steps keep labels alone.

    Raises: ValueError: steps below 1; TooMuchWork: an allowance does not suffice for them.
    """
    if engine.model.learned or not (world is None or _named_alike(engine.model, world)):
        for number, seed in enumerate(seeds):
            with repeated(0 if number else len(seeds) - 1):
                run = simulate(engine, steps=steps, seed=seed, world=world, keep_choices=False)
            yield run
        return
    most = min(most_at_once(engine, world), MOST_EPISODES)
    for at in range(0, len(seeds), most):
        with repeated(0 if at else -(-len(seeds) // most) - 1):
            made = _batch(engine, world or engine.model, steps, seeds[at : at + most])
        yield from made


def _named_alike(model: Compiled, world: Compiled) -> bool:
    """Whether an index means the same in both."""
    kinds = ("states", "observations", "actions")
    one, other = ([(v.name, v.names) for k in kinds for v in getattr(m, k)] for m in (model, world))
    return one == other


def _batch(engine: Engine, world: Compiled, steps: int, seeds: range) -> list[Run]:
    model, count = engine.model, len(seeds)
    places = Worlds(world, [generator(seed) for seed in seeds])
    held = engine.some(engine.batch(engine.start()), np.zeros(count, dtype=np.int64))
    made: list[list[Step]] = [[] for _ in seeds]
    surprised, unsettled, shortened = np.zeros((3, count), dtype=np.int64)
    going = np.arange(count)  # the episodes that go on
    write = _steps(model)
    for number in range(steps):
        with repeated(0 if number else steps - 1):
            seen = places.observe()
            held, impossible, settled = engine.observe_many(held, seen)
            surprised[going] += impossible > 0
            unsettled[going] += ~settled
            on = np.flatnonzero(~places.have_ended)
            actions = np.full((len(going), len(model.actions)), -1, dtype=np.int64)
            if len(on):
                rngs = [places.rngs[i] for i in on.tolist()]
                actions[on], depth = choose_many(engine, engine.some(held, on), rngs)
                shortened[going[on]] += depth < model.horizon
            look(20 * len(going))
            written = write(seen, engine.marginals(held), places.states, actions)
            for episode, step in zip(going.tolist(), written, strict=True):
                made[episode].append(step)
            if not len(on):
                break
            if len(on) < len(going):
                held, going, actions = engine.some(held, on), going[on], actions[on]
                places.keep(on)
            held = engine.predict_many(held, actions)
            places.act(actions)
    doubts = zip(surprised.tolist(), unsettled.tolist(), shortened.tolist(), strict=True)
    return [
        Run(seed, tuple(of), model, *doubt)
        for seed, of, doubt in zip(seeds, made, doubts, strict=True)
    ]


def _best(names: Sequence[str], beliefs: Array) -> list[tuple[str, float]]:
    """The most probable label of each belief, and its probability."""
    most = zip(beliefs.argmax(axis=1).tolist(), beliefs.max(axis=1).tolist(), strict=True)
    return [(names[i], p) for i, p in most]


def _steps(model: Compiled) -> Callable[..., list[Step]]:
    """What writes the steps of a batch in labels; an action of -1 is that the episode ended."""
    observations, states, actions = (
        [(v.name, v.names) for v in kind]
        for kind in (model.observations, model.states, model.actions)
    )

    def write(
        seen: Indices, marginals: Sequence[Array], state: Indices, done: Indices
    ) -> list[Step]:
        gained = [c[seen[:, m]] for m, c in enumerate(model.C)]
        gained += [v[state[:, f]] for f, v in enumerate(model.V)]
        for one in model.action_utilities:
            at = (*(state[:, f] for f in one.states), *(done[:, k] for k in one.actions))
            gained.append(np.where(done[:, 0] < 0, 0.0, one.table[at]))
        best = [_best(names, q) for (_, names), q in zip(states, marginals, strict=True)]
        rows = zip(
            seen.tolist(),
            zip(*best, strict=True),
            state.tolist(),
            done.tolist(),
            np.stack(gained, axis=1).tolist(),
            strict=True,
        )
        return [
            Step(
                observation={n: names[i] for (n, names), i in zip(observations, o, strict=True)},
                belief={n: one for (n, _), one in zip(states, b, strict=True)},
                state={n: names[i] for (n, names), i in zip(states, s, strict=True)},
                action={n: names[i] for (n, names), i in zip(actions, a, strict=True) if i >= 0},
                utility=math.fsum(g),
                seen=tuple(o),
            )
            for o, b, s, a, g in rows
        ]

    return write
