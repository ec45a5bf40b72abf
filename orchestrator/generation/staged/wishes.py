"""What an agent wants: the preferences of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.generation.staged.effects import concerns, effect_of
from orchestrator.generation.staged.roles import NONE
from orchestrator.generation.staged.sheet import figure
from orchestrator.gmn.model import Condition, Goal, Gradient, Payoff, Preference
from orchestrator.gmn.request.labels import labels_of as found_in
from orchestrator.gmn.request.labels import meant_by, stems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.generation.staged.roles import Roles
    from orchestrator.gmn.model import Variable
    from orchestrator.gmn.request.labels import Label

WANTED, AVOIDED, RIGHT, WRONG = 3.0, -4.0, 3.0, -3.0  # nats, where the sentence says no number
_DECAY = 0.85  # of a wish, for each step
_LONG = 6  # values beyond which a wish is graded by distance


def wanted_in(roles: Roles) -> list[Label]:
    """The labels that the sentence wants, or that were answered to be best."""
    found = [label for one in roles.sheet.said("goal") for label in meant_by(one, roles.stub)]
    best = roles.answers.get("best", NONE)
    return found or ([] if best == NONE else found_in(roles.stub, best)[:1])


def avoided_in(roles: Roles) -> list[Label]:
    """The labels that the sentence avoids, or that were answered to be worst."""
    found = [label for one in roles.sheet.said("avoid") for label in meant_by(one, roles.stub)]
    worst = roles.answers.get("worst", NONE)
    return found or ([] if worst == NONE else found_in(roles.stub, worst)[:1])


def preferences_of(roles: Roles) -> Iterator[Preference]:
    """What is wanted, avoided, and right or wrong to do, in nats; never nothing."""
    worth, left = _stated(roles)
    top = max([WANTED, *worth.values(), *left])
    low = min([AVOIDED, *worth.values(), *left])
    wanted = wanted_in(roles)
    states = [label for label in wanted if label.kind == "state"] or wanted[:1]
    for label in avoided_in(roles):
        if label.kind != "observation" or not states:
            worth.setdefault((label.variable.name, label.variable.names[label.at]), low)
    for label in states:
        key = (label.variable.name, label.variable.names[label.at])
        if label.variable.n > _LONG and label.kind == "state" and _can_step(roles, label.variable):
            gradient = Gradient(goal=key[1], utility=top, decay=_DECAY)
            yield Preference(on=key[0], goal_gradient=(gradient,))
        else:
            worth.setdefault(key, top)
    for variable in dict.fromkeys(name for name, _ in worth):
        goals = [Goal(value=at, utility=u) for (name, at), u in worth.items() if name == variable]
        yield Preference(on=variable, goals=tuple(goals))
    suits = list(_suits(roles, left))
    if suits:
        yield Preference(on=roles.main.name, given=(roles.actions[-1].name,), rules=tuple(suits))
    elif left:
        yield from _unplaced(roles, left, [at for name, at in worth if name == roles.main.name])
    elif not worth and not states:
        last = roles.main.names[-1]
        yield Preference(on=roles.main.name, goals=(Goal(value=last, utility=WANTED),))


def _can_step(roles: Roles, state: Variable) -> bool:
    if len(state.shape) == 2:
        return True
    return any(concerns(roles, state, effect_of(roles, act)) for act in roles.acts)


def _stated(roles: Roles) -> tuple[dict[tuple[str, str], float], list[float]]:
    """The utilities that are said of a label, and those that are said of nothing known."""
    worth: dict[tuple[str, str], float] = {}
    left: list[float] = []
    for number, one in enumerate(roles.sheet.said("utility"), 1):
        said = roles.answers.get(f"worth:{number}", "")
        meant = found_in(roles.stub, said) if said else []
        meant = meant or (found_in(roles.stub, one.about) if one.about else [])
        label = min(meant, key=lambda m: m.kind != "action", default=None)
        value = figure(one)
        key = (label.variable.name, label.variable.names[label.at]) if label else None
        if key is None or key in worth:
            left.append(value)
        else:
            worth[key] = value
    return worth, left


def _suits(roles: Roles, left: Sequence[float]) -> Iterator[Payoff]:
    """What it is worth to do what suits the hidden state, and to do what does not."""
    if not roles.is_hidden:
        return
    gains, losses = [v for v in left if v > 0], [v for v in left if v < 0]
    right, wrong = max(gains, default=RIGHT), min(losses, default=WRONG)
    main, action = roles.main, roles.actions[-1]
    for act in action.names:
        state = suits(roles, act)
        if state in main.names:
            is_it = Condition(var=main.name, values=(state,))
            done = Condition(var=action.name, values=(act,))
            yield Payoff(when=(is_it, done), utility=right)
            yield Payoff(when=(done,), utility=wrong)
    for value in (*gains, *losses):
        if value not in (right, wrong):
            yield Payoff(when=(Condition(var=action.name, values=("*",)),), utility=value)


def suits(roles: Roles, act: str) -> str:
    """The value of the main state that an action is right for; ``none`` for no value."""
    said = roles.answers.get(f"suit:{act}", "")
    if said in (*roles.main.names, NONE):
        return said
    alike = [label for label in roles.main.names if stems(label) & stems(act)]
    return alike[0] if len(alike) == 1 else NONE


def _unplaced(roles: Roles, left: Sequence[float], taken: Sequence[str]) -> Iterator[Preference]:
    """Utilities that are said of nothing known: gains of the last value, losses of the others."""
    names = [name for name in roles.main.names if name not in taken] or roles.main.names
    gains, losses = [v for v in left if v > 0], [v for v in left if v < 0]
    goals = [
        Goal(value=names[-1 - n % len(names)], utility=v) for n, v in enumerate([*gains, *losses])
    ]
    yield Preference(on=roles.main.name, goals=tuple(goals))
