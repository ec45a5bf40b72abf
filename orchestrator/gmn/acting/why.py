"""Why an agent acted as it did: what its plan is worth, in what, and against which other plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.engine.account import account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from orchestrator.gmn.engine.choice import Broken, Choice
    from orchestrator.gmn.engine.engine import Engine

    Array = NDArray[np.float64]

_DECIDED = {
    "utility": "the one whose plan gains utility earlier",
    "information": "the one whose plan learns earlier",
    "steps": "the one whose plan changes fewer things",
    "order": "the one that was declared first",
}
_NEVER = 1e-12  # what is less probable does not happen
MOST_LABELS, LEAST_SHOWN = 3, 0.01  # of what it expects to see, in words


@dataclass(frozen=True, slots=True)
class ComparedPlan:
    """A plan, the best of those that begin with the same action.

    Attributes:
        actions: label by action factor for every step, up to an end that is certain.
        probability: of its first action, over all plans that begin with it.
        utility, information: expected, in nats, for every step; discounted, and weighed by how
            probable it is that the episode goes on.
        later: what a contingent plan is worth after its first step, whatever will be observed.
    """

    actions: tuple[Mapping[str, str], ...]
    probability: float
    utility: tuple[float, ...]
    information: tuple[float, ...]
    later: float = 0.0

    @property
    def worth(self) -> float:
        """-G of the plan in nats: the sum of all that it is worth."""
        return sum(self.utility) + sum(self.information) + self.later


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one action was taken.

    Attributes:
        plan: the best plan that begins with the action taken.
        runner_up: the best plan that begins otherwise; None where there is no other.
        expected: for every modality the probability of each label at the next step.
        tied: the first actions that were equally probable; empty where one was more.
        broken_by: what decided between them: earlier utility, earlier information, fewer steps
            that change anything, or the order of declaration; empty where nothing was tied.
        is_sampled: whether the action was drawn at random, by the probabilities of all actions.
        depth: how many steps were looked ahead.
    """

    plan: ComparedPlan
    runner_up: ComparedPlan | None
    expected: Mapping[str, Mapping[str, float]]
    tied: tuple[Mapping[str, str], ...] = ()
    broken_by: Broken = ""
    is_sampled: bool = False
    depth: int = 1

    def __str__(self) -> str:
        return "\n".join(_in_words(self))


def reason(choice: Choice) -> Reason:
    """Why an agent did what it chose."""
    engine = choice.engine
    # Probabilities themselves are 0 for plans that are far from the best.
    score = engine.scores(choice.neg_efe).reshape(len(engine.joint_actions), -1)
    taken = choice.policy // score.shape[1]
    others = np.delete(np.arange(len(score)), taken)
    other = int(others[score[others].max(axis=1).argmax()]) if len(others) else taken
    is_possible = other != taken and np.isfinite(score[other].max())
    rival = other * score.shape[1] + int(score[other].argmax())
    model = engine.model
    outlook = account(engine, choice.beliefs, choice.policy).expected[0]
    return Reason(
        plan=_plan(choice, choice.policy),
        runner_up=_plan(choice, rival) if is_possible else None,
        expected={
            v.name: dict(zip(v.names, q.tolist(), strict=True))
            for v, q in zip(model.observations, outlook, strict=True)
        },
        tied=tuple(_labels(engine, engine.joint_actions[index]) for index in choice.tied),
        broken_by=choice.broken_by,
        is_sampled=model.selection == "stochastic",
        depth=choice.depth,
    )


def _plan(choice: Choice, policy: int) -> ComparedPlan:
    engine = choice.engine
    found = account(engine, choice.beliefs, policy)
    at_once = float(found.utility.sum() + found.information.sum())
    ends = (step for step, after in enumerate(found.beliefs, 1) if engine.going_on(after) < _NEVER)
    count = next(ends, len(found.beliefs))
    is_contingent = engine.model.selection == "contingent"
    per_action = len(choice.posterior) // len(choice.first)
    return ComparedPlan(
        actions=tuple(_labels(engine, action) for action in engine.model.policies[policy][:count]),
        probability=float(choice.first[policy // per_action]),
        utility=tuple(found.utility[:count].tolist()),
        information=tuple(found.information[:count].tolist()),
        later=float(choice.neg_efe[policy]) - at_once if is_contingent else 0.0,
    )


def _labels(engine: Engine, action: NDArray[np.int64]) -> Mapping[str, str]:
    pairs = zip(engine.model.actions, action, strict=True)
    return {variable.name: variable.names[int(index)] for variable, index in pairs}


def _in_words(one: Reason) -> Iterator[str]:
    plan, other = one.plan, one.runner_up
    way = f" (then {', '.join(map(_said, plan.actions[1:]))})" if len(plan.actions) > 1 else ""
    drawn = ", drawn at random" if one.is_sampled else ""
    parts = _parts(sum(plan.utility), sum(plan.information), plan.later, _has)
    yield (
        f"It does {_said(plan.actions[0])}{way}, {_share(plan.probability)} probable{drawn}: worth"
        f" {_nats(plan.worth)} nats, {parts}."
    )
    if other is None:
        yield "It has no other action."
    else:
        yield f"Second best is {_said(other.actions[0])}, {_against(plan, other)}."
    if one.tied:
        tied = ", ".join(map(_said, one.tied))
        yield f"Equally probable were {tied}; it takes {_DECIDED[one.broken_by]}."
    yield f"It expects to see {', '.join(_outlook(*pair) for pair in one.expected.items())}."


def _against(plan: ComparedPlan, other: ComparedPlan) -> str:
    """How another plan differs: by how much, and in what."""
    utility = sum(other.utility) - sum(plan.utility)
    information = sum(other.information) - sum(plan.information)
    later = other.later - plan.later
    difference = utility + information + later
    share = f"{_share(other.probability)} probable"
    parts = _parts(utility, information, later, _differs)
    if _nats(difference) == "0":
        is_same = _nats(utility) == _nats(information) == "0"
        return f"{share}: worth the same" + ("" if is_same else f", {parts}")
    more = "more" if difference > 0 else "less"
    yet = "; its first action is less probable over all plans" if difference > 0 else ""
    amount = _nats(abs(difference)).removeprefix("+")
    return f"{share}: worth {amount} nats {more}, {parts}{yet}"


def _parts(
    utility: float, information: float, later: float, said: Callable[[str, float], str]
) -> str:
    both = f"{said('utility', utility)} and {said('information', information)}"
    if not later:
        return both
    return f"{both} at once and {said('', later).strip()} later, by what it will have seen"


def _has(name: str, value: float) -> str:
    return f"{name} {_nats(value)}"


def _differs(name: str, value: float) -> str:
    if _nats(value) == "0":
        return f"the same {name}"
    return f"{name} {_nats(abs(value)).removeprefix('+')} {'more' if value > 0 else 'less'}"


def _share(p: float) -> str:
    said = f"{p:.0%}"
    if said == "0%" and p > 0:
        return "under 1%"
    return "over 99%" if said == "100%" and p < 1 - 1e-9 else said


def _nats(value: float) -> str:
    return "0" if abs(value) < 5e-7 else f"{value:+.3g}"


def _said(labels: Mapping[str, str]) -> str:
    return " and ".join(f"{name}={label}" for name, label in labels.items())


def _outlook(name: str, expected: Mapping[str, float]) -> str:
    """The most probable labels of one modality."""
    ranked = sorted(expected.items(), key=lambda pair: -pair[1])
    shown = [f"{label} {_share(p)}" for label, p in ranked[:MOST_LABELS] if p >= LEAST_SHOWN]
    return f"{name}={' or '.join(shown) or 'anything'}"
