"""GMN516, 518, 519: what the agent does against what its document wants; none is an error."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.acting.walk import Walk
from orchestrator.gmn.acting.world import World
from orchestrator.gmn.checks.reach import Reach
from orchestrator.gmn.checks.registry import Subject, check
from orchestrator.gmn.codes import finding
from orchestrator.gmn.engine.choice import best
from orchestrator.gmn.engine.engine import Engine
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.engine import Beliefs
    from orchestrator.types.diagnostics import Diagnostic

    Array = NDArray[np.float64]

#: Numbers of all transitions between joint states that these checks look at.
_MOST_NUMBERS = 2**22
#: A first act is worth a warning if it makes the worst so much more probable, and costs so much of
#: what utilities span.
_RISK, _LOSS = 0.1, 0.06
_MOST_OUTCOMES = 64  # joint observations after one act
_SEEDS = 3
_IDLE_STEPS = 10
_FARTHEST = 32  # steps that a way may take
#: So many attempts at a move that is less probable than this, beside the most probable one, are not
#: more likely to succeed than not.
_LIKELY = 0.02
#: The discount that is proposed to an agent that puts off what it wants.
_DISCOUNT = 0.95


@check("GMN516")
def information_does_not_buy_the_worst(subject: Subject) -> Iterator[Diagnostic]:
    """A first act that risks the worst for what it tells, and is not worth it."""
    model = subject.compiled
    if model is None or not model.info_gain or len(subject.reach.actions) == 1:
        return
    engine, quiet = subject.engine, subject.engine.without_information()
    held = subject.walk(0).first(1).steps[0][0].beliefs
    done, better = best(engine, held).action, best(quiet, held).action
    if np.array_equal(done, better):
        return
    worst, risks = _risks(quiet, held, done, better)
    if risks[0] - risks[1] < _RISK:
        return
    lost = _worth(quiet, held, better) - _worth(quiet, held, done)
    tables = [*model.C, *model.V, *(one.table for one in model.action_utilities)]
    if not lost > _LOSS * sum(float(np.ptp(table)) for table in tables):
        return
    gains = [engine.information(engine.predict(held, action)) for action in (done, better)]
    factor = next((2**n for n in range(1, 15) if not _still_done(model, done, 2.0**n)), None)
    fix = (
        f"multiply every utility by {factor}, or write info_gain: false"
        if factor
        else ("write info_gain: false")
    )
    words = (
        f"the first act is {_doing(model, done)}, which risks the worst utility ({worst:g}) with"
        f" probability {risks[0]:.2g}: it tells {gains[0]:.2g} nats and {_doing(model, better)}"
        f" {gains[1]:.2g}, and the {lost:.2g} nats of utility that this costs weigh less; {fix}"
    )
    yield finding("GMN516", words, pointer="/preferences")


def _doing(model: Compiled, action: NDArray[np.int64]) -> str:
    return ", ".join(
        f"{u.name}={u.names[int(i)]}" for u, i in zip(model.actions, action, strict=True)
    )


def _after_first_observation(engine: Engine) -> Beliefs:
    seen = World(engine.model, np.random.default_rng(0)).observe()
    return engine.observe(engine.start(), seen).beliefs


def _still_done(model: Compiled, action: NDArray[np.int64], factor: float) -> bool:
    """Whether the first act is the same with every utility multiplied."""
    scaled = replace(
        model,
        C=tuple(factor * c for c in model.C),
        V=tuple(factor * v for v in model.V),
        action_utilities=tuple(
            replace(one, table=factor * one.table) for one in model.action_utilities
        ),
    )
    engine = Engine(scaled)
    return np.array_equal(best(engine, _after_first_observation(engine)).action, action)


def _risks(
    engine: Engine, beliefs: Beliefs, done: NDArray[np.int64], better: NDArray[np.int64]
) -> tuple[float, tuple[float, float]]:
    """The worst utility beside what `better` brings, and how probable each act makes one that is
    at least half as far below that."""
    met = [_met(engine, beliefs, action) for action in (done, better)]
    brought = [float((chance * values).sum()) for values, chance, _ in met[1]]
    falls = [level - least for level, (_, _, least) in zip(brought, met[1], strict=True)]
    if not falls or max(falls) <= 0:
        return 0.0, (0.0, 0.0)
    deepest = int(np.argmax(falls))
    first, second = (
        max(
            float(chance[values <= level - falls[deepest] / 2].sum())
            for level, (values, chance, _) in zip(brought, one, strict=True)
        )
        for one in met
    )
    return met[1][deepest][2], (first, second)


def _met(
    engine: Engine, beliefs: Beliefs, action: NDArray[np.int64]
) -> list[tuple[Array, Array, float]]:
    """Of every table of utilities what the next step may bring, how probably, and its least."""
    model = engine.model
    after, marginals = engine.predict(beliefs, action), engine.marginals(beliefs)
    brings = [
        *zip(model.C, engine.outcomes(after), strict=True),
        *zip(model.V, engine.marginals(after), strict=True),
    ]
    met = [(values, chance, float(values.min())) for values, chance in brings]
    for one in model.action_utilities:
        at: tuple[Any, ...] = (..., *(int(action[k]) for k in one.actions))
        chance = np.ones(())
        for f in one.states:
            chance = np.multiply.outer(chance, marginals[f])
        met.append((one.table[at], chance, float(one.table.min())))
    return met


def _worth(engine: Engine, beliefs: Beliefs, action: NDArray[np.int64]) -> float:
    """Expected utility of an act and of the best plan after each thing it may show."""
    after = engine.predict(beliefs, action)
    now = engine.action_utility(beliefs, action) + engine.utility(after)
    later = sum(
        chance * float(best(engine, held).neg_efe.max()) for chance, held in _shown(engine, after)
    )
    return now + engine.model.discount * later  # a plan counts itself whether anything goes on


def _shown(engine: Engine, beliefs: Beliefs) -> list[tuple[float, Beliefs]]:
    """The most probable joint observations, each with the beliefs that it leads to."""
    found: list[tuple[float, Beliefs]] = [(1.0, beliefs)]
    count = len(engine.model.observations)
    for m in range(count):
        grown = []
        for chance, held in found:
            for label, p in enumerate(engine.outcomes(held)[m]):
                if chance * p > 1e-6:
                    seen: list[int | None] = [None] * count
                    seen[m] = label
                    grown.append((chance * float(p), engine.observe(held, seen).beliefs))
        found = sorted(grown, key=lambda one: -one[0])[:_MOST_OUTCOMES]
    return found


@dataclass(frozen=True, eq=False)
class _Joint:
    """A model as if its states were seen: what is best to do, and where it leads.

    Attributes:
        reach: the moves between its joint states.
        utility: expected utility of being in each joint state.
        doing: the same of each joint action in it, [actions, states].
    """

    model: Compiled
    reach: Reach
    utility: Array
    doing: Array

    @property
    def liked(self) -> Array:
        """The utility of being in each joint state and of the best that can be done there."""
        return np.asarray(self.utility + self.doing.max(axis=0))

    def plans(self, goal: NDArray[np.bool_]) -> Iterator[tuple[Array, Array, Array, Array]]:
        """For plans of 1, 2, … steps, [states] each: the utility of the best one, the probability
        that it enters `goal`, and the most probable that any plan makes that; and whether such a
        best one begins with each action, [actions, states]."""
        value, enters, could = np.zeros((3, len(self.utility)))
        ends, moves = self.reach.ends, self.reach.moves
        while True:
            look(50, numbers=3 * self.reach.numbers)
            to = self.utility + np.where(ends, 0.0, self.model.discount * value)
            into, ever = np.where(goal, 1.0, np.where(ends, 0.0, [enters, could]))
            brings = np.moveaxis(moves @ np.stack([to, into, ever], axis=1), 2, 0)
            worth, chance = self.doing + brings[0], brings[1]
            could, value = brings[2].max(axis=0), worth.max(axis=0)
            # Of equally good plans the one that goes there.
            equal = worth >= value - 1e-9 * np.maximum(1.0, np.abs(value))
            enters = np.where(equal, chance, 0.0).max(axis=0)
            yield value, enters, could, equal & (chance >= enters - 1e-9)

    def plan(self, steps: int, goal: NDArray[np.bool_]) -> tuple[Array, Array, Array, Array]:
        """The same for plans of so many steps."""
        return next(itertools.islice(self.plans(goal), steps - 1, None))


def _joint(subject: Subject) -> _Joint | None:
    """The joint model; None where it is too large to be looked at, or nothing can be done."""
    model = subject.compiled
    if model is None:
        return None
    reach = subject.reach
    states, count = reach.states, len(reach.actions)
    if count == 1 or states > subject.limits.search_states or reach.numbers > _MOST_NUMBERS:
        return None
    at = reach.at
    look(200, numbers=2 * reach.numbers * len(model.states))
    utility = sum((v[at[f]] for f, v in enumerate(model.V)), start=np.zeros(states))
    for c, a, deps in zip(model.C, model.A, model.A_dependencies, strict=True):
        utility = utility + np.tensordot(c, a, axes=1)[tuple(at[f] for f in deps)]
    doing = np.zeros((count, states))
    for one in model.action_utilities:
        for number, action in enumerate(reach.actions):
            place = (*(at[f] for f in one.states), *(int(action[k]) for k in one.actions))
            doing[number] += one.table[place]
    return _Joint(model, reach, utility, doing)


def _goal(joint: _Joint, reachable: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The best states that can be reached, if they are few."""
    liked = joint.liked[reachable]
    goal = reachable & (joint.liked >= liked.max() - 0.02 * np.ptp(liked))
    return goal if goal.sum() <= reachable.sum() / 2 else None


@check("GMN518", "GMN519")
def the_agent_goes_for_what_it_wants(subject: Subject) -> Iterator[Diagnostic]:
    """A goal that is never worth its way, and an agent that stays where it is."""
    joint = _joint(subject)
    if joint is None:
        return
    distance = joint.reach.distances(_LIKELY)
    goal = _goal(joint, distance >= 0)
    if goal is None:
        return
    _, enters, could, _ = joint.plan(joint.model.horizon, goal)
    starts = (distance == 0) & ~goal & ~joint.reach.ends & (could >= 0.2)
    if starts.any() and enters[starts].max() < 0.05:
        if not _arrives(subject, goal):
            yield _never_worth_it(joint, goal, starts)
    elif (stay := _idle(joint.reach, subject.walk, goal)) is not None:
        yield from _could_gain(joint, goal, stay)


def _index(reach: Reach, state: Sequence[int]) -> int:
    return int(np.ravel_multi_index(tuple(state), reach.sizes))


def _arrives(subject: Subject, goal: NDArray[np.bool_]) -> bool:
    """Whether some simulated episode enters the goal."""
    steps = max(_IDLE_STEPS, 2 * subject.reach.model.horizon)
    return any(
        goal[_index(subject.reach, walk.states[at])]
        for walk in map(subject.walk, range(_SEEDS))
        for at in range(steps)
        if walk.goes_on(at)
    )


def _idle(
    reach: Reach, walks: Callable[[int], Walk], goal: NDArray[np.bool_]
) -> tuple[int, list[int]] | None:
    """A joint state, no goal, that an agent that knows it never leaves, and which joint actions it
    does there."""
    for walk in map(walks, range(_SEEDS)):
        start = walk.states[0]
        here = _index(reach, start)
        if goal[here] or not all(
            walk.states[at] == start and walk.goes_on(at + 1) for at in range(_IDLE_STEPS)
        ):
            continue
        held = walk.engine.marginals(walk.steps[_IDLE_STEPS - 1][0].beliefs)
        if math.prod(float(q[s]) for q, s in zip(held, start, strict=True)) > 0.9:
            chosen = (choice.action for _, choice in walk.steps[:_IDLE_STEPS] if choice)
            done = [int((reach.actions == action).all(axis=1).argmax()) for action in chosen]
            return here, list(dict.fromkeys(done))
    return None


def _never_worth_it(
    joint: _Joint, goal: NDArray[np.bool_], starts: NDArray[np.bool_]
) -> Diagnostic:
    """The finding, with the utility that would make the way worth it."""
    model = joint.model
    more = 0.5**4
    while more < 2.0**14:
        raised = replace(joint, utility=joint.utility + more * goal)
        if raised.plan(model.horizon, goal)[1][starts].max() >= 0.2:
            break
        more *= 1.5
    better = joint.liked[goal].max() - joint.liked[starts].max()
    words = (
        f"the best place, {_named(model, int(goal.argmax()))}, is never worth its way: every plan"
        f" of {model.horizon} steps that goes there loses more on the way than the"
        f" {better:.3g} nats by which it is better than the start make good, and no simulated"
        " episode enters it;"
        f" raise its utility by {more:.2g}, lower the costs of the way, or plan farther ahead"
    )
    return finding("GMN519", words, pointer="/preferences")


def _could_gain(
    joint: _Joint, goal: NDArray[np.bool_], stay: tuple[int, list[int]]
) -> Iterator[Diagnostic]:
    """The finding, where a plan that goes to the goal is the best one of some length and begins
    with nothing that the agent does."""
    model, (here, done) = joint.model, stay
    each = float(joint.utility[here] + joint.doing[done, here].max())
    gain = stayed = 0.0
    steps = 0
    for value, enters, _, first in itertools.islice(joint.plans(goal), _FARTHEST):
        stayed += each * model.discount**steps
        steps += 1
        gain = float(value[here]) - stayed
        if enters[here] >= 0.5 and gain > 1e-6:
            if first[done, here].any():
                return  # it waits for what only waiting brings
            break
    else:
        return
    if steps > model.horizon:
        fix = f"plan at least {steps} steps ahead, or grade the preference by distance"
    elif model.discount == 1 and _leaves(joint, goal):
        fix = f"it puts off what later is worth as much as now: write discount: {_DISCOUNT}"
    elif model.selection == "contingent":
        fix = "a habit holds the agent, or what it learns there weighs more (info_gain: false)"
    else:
        fix = (
            "one good plan weighs less than the many that stay (raise gamma or the utilities), or"
            " a habit holds the agent"
        )
    doing = " or ".join(_doing(model, joint.reach.actions[number]) for number in done[:4])
    words = (
        f"the agent idles: it stays at {_named(model, here)} and does {doing} for {_IDLE_STEPS}"
        f" steps, though {_named(model, int(goal.argmax()))} is reached in {steps} steps that are"
        f" worth {gain:.2g} nats more; {fix}"
    )
    yield finding("GMN518", words, pointer="/policy")


def _leaves(joint: _Joint, goal: NDArray[np.bool_]) -> bool:
    """Whether an agent to which later is worth less does not idle."""
    engine = Engine(replace(joint.model, discount=_DISCOUNT))
    return _idle(joint.reach, lambda seed: Walk(engine, seed), goal) is None


def _named(model: Compiled, index: int) -> str:
    at = np.unravel_index(index, [v.n for v in model.states])
    said = [f"{v.name}={v.names[int(i)]}" for v, i in zip(model.states, at, strict=True)]
    return ", ".join(said[:4]) + (", …" if len(said) > 4 else "")
