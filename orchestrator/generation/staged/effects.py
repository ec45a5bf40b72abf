"""What the actions of a roles change: the transitions of a document."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.generation.staged.roles import GRID
from orchestrator.generation.staged.sheet import figure
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.model import Condition, Conditional, Move, Outcome, Rule, Table
from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.generation.staged.roles import Roles
    from orchestrator.gmn.model import Variable
    from orchestrator.gmn.request.commitment import Commitment

WORKS = 0.9  # how often an action does what it does, where the sentence does not say
_FAILS = words(
    "fail fails fails failing slip slips breaks break late pushes risk wrong spoils sticks out"
)
_MOST_RULES = DEFAULT_LIMITS.rules - 1
_STEPS = {"next": "@+1", "previous": "@-1"}
_DELTAS = {**GRID, "north": (-1, 0), "south": (1, 0), "west": (0, -1), "east": (0, 1)}


def effect_of(roles: Roles, act: str) -> str:
    """The value that an action leads to: by its name, as answered, else none of them."""
    said = roles.answers.get(f"effect:{act}", "")
    known = (*roles.conditions, "no_change", *_STEPS)
    if said in known:
        return said
    return "no_change" if roles.is_hidden else roles.outright(act) or "no_change"


def works(roles: Roles) -> float:
    """How often an action does what it does."""
    said = roles.sheet.said("chance")
    if not said or roles.is_hidden:
        return WORKS
    share = figure(said[0])
    return 1 - share if _is_failure(roles, said[0]) else share


def _is_failure(roles: Roles, one: Commitment) -> bool:
    """Whether a probability is that of a failure: by the words beside it, else a small one is."""
    begin = max(one.span.start - 40, 0)
    around = roles.sheet.sentence[begin : one.span.end + 40].casefold().split()
    return any(word.strip(".,;:") in _FAILS for word in around) or figure(one) < 0.5


def transition_of(roles: Roles, state: Variable) -> Conditional:
    """P(next value | previous values, actions); what no action drives stays as it is."""
    if len(state.shape) == 2:
        move = roles.actions[0]
        moves = (Move(action=n, delta=_DELTAS.get(n.casefold(), (0, 0))) for n in move.names)
        slips = 0.0 if not roles.sheet.said("chance") else round(1 - works(roles), 9)
        table = Table(kind="grid", moves=tuple(moves), noise=slips, noise_kind="stay")
        return Conditional(of=state.name, given=(move.name, state.name), table=table)
    share = works(roles)
    given, rules = list[str](), list[Rule]()
    for action in roles.actions:
        own = [(act, effect_of(roles, act)) for act in action.names if act in roles.acts]
        own = [(act, to) for act, to in own if to != "no_change"]
        own = [(act, to) for act, to in own if concerns(roles, state, to)]
        if own:
            given.append(action.name)
        rules += [_rule(action.name, act, _STEPS.get(to, to), share) for act, to in own]
    contexts = math.prod(one.n for one in roles.actions if one.name in given) * state.n
    rules = rules[: min(_MOST_RULES, DEFAULT_LIMITS.rule_work // contexts - 1)]
    if not rules:
        return Conditional(of=state.name, given=(state.name,), table=Table(kind="identity"))
    covered = {(rule.when[0].var, rule.when[0].values[0]) for rule in rules}
    if not any(all((one.name, act) in covered for act in one.names) for one in roles.actions):
        rules.append(Rule(then=(Outcome(value="@stay", p=1.0),)))
    table = Table(kind="rules", rules=tuple(_reached(rules, roles)))
    return Conditional(of=state.name, given=(*given, state.name), table=table)


def _reached(rules: Sequence[Rule], roles: Roles) -> Iterator[Rule]:
    """The rules up to the last one that applies: one variable's actions may cover everything."""
    left = {one.name: {*one.names} for one in roles.actions}
    for rule in rules:
        yield rule
        for condition in rule.when:
            left[condition.var] -= {*condition.values}
            if not left[condition.var]:
                return


def concerns(roles: Roles, state: Variable, to: str) -> bool:
    """Whether an action that leads to `to` changes this state."""
    if to in _STEPS:
        first = next((one for one in roles.states if len(one.shape) != 2), None)
        return state is first
    return roles.factor_of(to) is state


def _rule(action: str, act: str, to: str, share: float) -> Rule:
    then = [Outcome(value=to, p=share)]
    if share < 1:
        then.append(Outcome(value="@stay", p=round(1 - share, 9)))
    return Rule(when=(Condition(var=action, values=(act,)),), then=tuple(then))
