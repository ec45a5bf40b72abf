"""A model of nothing but what the sentence says: its names, what happens, what is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.gmn.model import Conditional, GMNSpec, Policy, Rule, Table, Variable
from orchestrator.gmn.request import verbs
from orchestrator.gmn.request.directions import level_step, orientation, ring_step
from orchestrator.gmn.request.names import roots, roots_of
from orchestrator.gmn.request.subjects import RULE as SUBJECTS
from orchestrator.gmn.request.tokens import words
from orchestrator.routing.offline.draft import UNSAID, labelled, near, prior_of, then, when
from orchestrator.routing.offline.sensing import looking, seen
from orchestrator.routing.offline.told import is_rest, told_apart
from orchestrator.routing.offline.wanted import preferences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.gmn.request.commitment import Commitment, Effect
    from orchestrator.routing.offline.draft import Draft

_IDLE = words(
    "keep stay wait hold rest nothing idle pause stop leave ignore skip pass noop none continue"
    " hover remain"
)
_PLACES = words(
    "state room location place site level zone station spot area node city shelf floor mode phase"
    " stop post cell house step stage section segment gear rung track"
    " dock bay tile aisle pier"
)
_LINES = words("corridor street row track tunnel ladder staircase canal")
_MOST_COUNTED = 256
_LEAST = 1e-9  # a probability below is what rounding leaves
#: Where something leads from one state, and how often; and that of each state.
Ways = tuple[tuple[str, float], ...]
Leads = dict[str, Ways]
_FAILING = words("fail fails failure slip slips break breaks").union(
    *map(roots, ("fails", "slips"))
)
_WORKING = _FAILING.union(*map(roots, ("works", "succeeds", "success", "successful", "action")))


@dataclass(frozen=True)
class Parts:
    """The variables of a model that is made of words.

    Attributes:
        names: the states as the sentence names them, beside their labels `states`.
        listed: how many of the states are in the list of the sentence.
        doing: the action labels under the names that the sentence gives them.
    """

    names: tuple[str, ...]
    states: tuple[str, ...]
    listed: int
    doing: dict[str, str]

    @property
    def actions(self) -> tuple[str, ...]:
        """The labels of the actions."""
        return tuple(self.doing.values())

    def label(self, name: str) -> str:
        """The label of a state that the sentence names so."""
        return self.states[self.names.index(name)]


def build_from_words(draft: Draft) -> GMNSpec:
    """One state factor with what acts on it; what is not said becomes a question of the draft."""
    effects = told_apart(draft)
    parts = _parts(draft, effects)
    moved = {label: _row(draft, parts, effects, name, label) for name, label in parts.doing.items()}
    look = looking(draft, parts.actions)
    is_stuck = not effects and bool(list(draft.of("goal", "avoid")))
    for label, leads in moved.items():
        if (
            leads is None
            and label not in (*look, UNSAID)
            and UNSAID not in parts.states
            and (is_stuck or not _has_payoff(draft, label))
        ):
            ways = ", ".join(parts.states)
            is_known = bool(look) or draft.first("noise") is None  # else it may be what looks
            if is_known and _is_decision(draft, effects) and not is_stuck:
                draft.assume(f"`{label}` changes nothing, as nothing was said of it")
            else:
                draft.ask(f"what does `{label}` do: which of {ways} does it lead to, if any?")
    ask_of_chances(draft, tuple(parts.doing))
    known = {label: leads or {} for label, leads in moved.items()}
    drift = _drift(draft, parts, effects)
    spec = GMNSpec(
        name="agent",
        states=(Variable(name="state", labels=parts.states),),
        actions=(Variable(name="act", labels=parts.actions),),
        transitions=(_transition(draft, parts, known, drift),),
        priors=(_prior(draft, parts),),
    )
    spec = seen(draft, spec, look, effects)
    wanted = preferences(draft, parts.states, parts.actions)
    far = _farthest(parts, known, [g.value for p in wanted for g in p.goals if g.utility > 0])
    size = max(len(parts.states), 1) * (2 if look else 1)
    policy = Policy(horizon=draft.horizon(far + bool(look), len(parts.actions), size))
    return spec.model_copy(update={"preferences": wanted, "policy": policy})


def _parts(draft: Draft, effects: Sequence[Effect]) -> Parts:
    names = draft.names.states or _counted(draft)
    listed = len(names)
    goals = [str(one.value) for one in draft.of("goal")]
    is_fix = any(one.after == "@goal" for one in effects)
    if is_fix and goals and not near(goals[0], labelled(names)):
        names = (*names, goals[0])
        draft.assume(f"{goals[0]} is a state of its own, beside {', '.join(names[:-1])}")
    if not names:
        draft.ask("which states can there be (for example `states: a, b, c`)?")
        names = (UNSAID,)
    states = draft.fitting(labelled(names), "max_states")
    named = draft.names.actions or tuple(dict.fromkeys(e.action for e in effects if e.action))
    if any(one.rule == SUBJECTS for one in draft.of("actions")):
        draft.assume(f"what it can do is what is said to do something: {', '.join(named)}")
    has_idle = any(_is_idle(name) for name in named)
    if named and not draft.names.actions and not has_idle and any(e.is_alone for e in effects):
        named = (*named, "wait")
        draft.assume("`wait` leaves things alone")
    may_go = draft.words & verbs.MOTION or not draft.names.states
    lists = (
        *draft.names.others,
        *(str(o.value) for o in draft.of("named") if o.value not in names),
    )
    lines = _LINES if draft.names.states else _LINES | {"along"}
    if not named and draft.words & lines and may_go and not lists and len(names) > 2:
        named = ("forward", "back")
        draft.assume(f"it goes one step forward or back along {', '.join(names)}")
    is_told = any(level_step(word) or _is_idle(word) for word in draft.reading.not_understood)
    if not named and listed and may_go and not lists and not is_told:
        named = tuple(f"go {label}" for label in states)
        draft.assume("it can go from every place to every other")
    if not named:
        draft.ask("what can the agent do (for example `actions: a, b, c`)?")
        named = (UNSAID,)
    short = [name[:1].lower() + name[1:] if name.istitle() else name for name in named]
    labels = draft.fitting(labelled(short), "max_actions")
    return Parts(names[: len(states)], states, min(listed, len(states)),
                 dict(zip(named, labels, strict=False)))  # fmt: skip


def _counted(draft: Draft) -> tuple[str, ...]:
    """``four rooms`` without names; a place that is called ``the dark one`` is one of them."""
    for one in draft.of("count"):
        n, noun = one.value  # type: ignore[misc,str-unpack]  # a count is a number and a noun
        if str(noun) in _PLACES and 2 <= int(n) <= _MOST_COUNTED:
            made = [f"{noun}_{i + 1}" for i in range(int(n))]
            said = [str(w.value) for w in draft.of("start", "goal", "avoid")]
            lost = [value for value in dict.fromkeys(said) if not near(value, made)]
            if lost and len(lost) < len(made):
                made[-len(lost) :] = lost
                draft.assume(f"{', '.join(lost)}: of the {n} {noun}s")
            return tuple(made)
    return ()


def _row(
    draft: Draft, parts: Parts, effects: Sequence[Effect], name: str, label: str
) -> Leads | None:
    """Where an action leads from each state, and how often; None where nobody says."""
    own = [one for one in effects if one.action == name and not one.is_shown]
    if own:
        return _outcomes(draft, parts, own, _works(draft, name))
    if _is_idle(name):
        return {}
    works = _works(draft, name)
    if to := _called_after(name, parts):
        if label != f"go_{to}" and label != UNSAID:
            draft.assume(f"`{label}` leads to {to}")
        return dict.fromkeys(parts.states, ((to, works),))
    step = way = ring_step(name)
    is_line = draft.words & _LINES or all(s[-1:].isdigit() for s in parts.names)
    if not step and is_line:
        sides = words(name.casefold())
        step = ("right" in sides) - ("left" in sides)
    if step := step or level_step(name) * (orientation(parts.names) or 1):
        along = "round" if way else "one step along"
        draft.assume(f"`{label}` goes {along} {', '.join(parts.states)}")
        return {s: ((draft.stepped(parts.states, s, step), works),) for s in parts.states}
    return None


def _outcomes(draft: Draft, parts: Parts, own: Sequence[Effect], works: float) -> Leads:
    """What is said to happen in each state: what is said of it, else what is said of any."""
    found: Leads = {}
    for state in parts.names:
        said = [one for one in own if one.before == state] or [e for e in own if not e.before]
        said = [one for one in said if not is_rest(one)] or said
        ways = {
            _reached(draft, parts, e, state): works if e.chance is None else e.chance for e in said
        }
        if sum(ways.values()) > 1 + _LEAST:  # which is asked about
            ways = dict(list(ways.items())[-1:])
        if ways:
            found[parts.label(state)] = tuple(ways.items())
    return found


def _works(draft: Draft, name: str) -> float:
    """How often an action works: what is said of it, or of all actions; else always."""
    for one, said, is_of_all in _apart(draft):
        if roots_of(name) & said or is_of_all:
            works = float(one.value)  # type: ignore[arg-type]  # a chance is a number
            return 1.0 - works if not said.isdisjoint(_FAILING) else works
    return 1.0


def _apart(draft: Draft) -> Iterator[tuple[Commitment, frozenset[str], bool]]:
    """The probabilities that are not part of what is said to happen, the words around them, and
    whether they are of all actions: no action and nothing that is not known is named there."""
    strange = draft.reading.not_understood
    others = [roots_of(name) for name in (*draft.names.actions, *strange)]
    for one in draft.of("chance"):
        if not any(one.span.overlaps(effect.span) for effect in draft.reading.effects):
            said = roots_of(draft.part(one.span))
            after = draft.reading.text[one.span.end :].removeprefix(" of").split(maxsplit=1)
            if after and after[0] in strange and not roots(after[0]) & _WORKING:
                said = frozenset()  # ``9 in 10 bakers knead``: of bakers
            is_of_all = not said.isdisjoint(_WORKING) and not any(own & said for own in others)
            yield one, said, is_of_all


def ask_of_chances(draft: Draft, names: Sequence[str]) -> None:
    """A question for each probability of which nobody says what it is of."""
    for one, said, is_of_all in _apart(draft):
        if not is_of_all and not any(roots_of(name) & said for name in names):
            draft.ask(f"what is {draft.reading.said(one)!r} the probability of?")


def _is_idle(name: str) -> bool:
    return not _IDLE.isdisjoint(part for word in name.split() for part in (word, *roots(word)))


def _called_after(name: str, parts: Parts) -> str:
    """The state that an action is called after: ``lock`` leads to ``locked``."""
    own = roots_of(name)
    found = [parts.label(s) for s in parts.names if own & roots_of(s)]
    whole = [parts.label(s) for s in parts.names if roots_of(s) <= own]
    found = whole if len(whole) == 1 else found
    return found[0] if len(found) == 1 else ""


def _reached(draft: Draft, parts: Parts, effect: Effect, state: str) -> str:
    """The label that an effect leads to from a state."""
    here = parts.label(state)
    if effect.after == "@stay":
        return here
    if effect.after == "@goal" or abs(effect.step) == 2:
        wish = next((near(str(o.value), parts.states) for o in draft.of("goal")), "")
        bad = next((near(str(o.value), parts.states) for o in draft.of("avoid")), "")
        if effect.after == "@goal":
            if not wish:
                draft.ask(f"what does `{effect.action}` lead to?")
            return wish or here
        return _worse(draft, parts, here, wish, bad, is_better=effect.step > 0)
    if effect.step:
        return draft.stepped(parts.states[: parts.listed], here, effect.step)
    return parts.label(effect.after) if effect.after in parts.names else here


def _worse(draft: Draft, parts: Parts, here: str, wish: str, bad: str, *, is_better: bool) -> str:
    """The next state on the way to what is to be avoided, or to what is wanted."""
    target, other = (wish, bad) if is_better else (bad, wish)
    at = parts.states.index(here)
    if target:
        to = parts.states.index(target)
        return draft.stepped(parts.states, here, (to > at) - (to < at))
    if not other:
        draft.ask("which of " + ", ".join(parts.states) + " is better, and which worse?")
        return here
    away = parts.states.index(other)
    step = (at > away) - (at < away) or (1 if 2 * away < len(parts.states) else -1)
    return draft.stepped(parts.states, here, step)


def _drift(draft: Draft, parts: Parts, effects: Sequence[Effect]) -> Leads:
    """What happens by itself from each state, and how often."""
    return _outcomes(draft, parts, [e for e in effects if not (e.action or e.is_shown)], 1.0)


def _transition(
    draft: Draft,
    parts: Parts,
    moved: dict[str, Leads],
    drift: Leads,
) -> Conditional:
    """An action first, then what happens by itself where the action changed nothing."""
    rules: list[Rule] = []
    for action, leads in moved.items():
        rows = {s: _mixed(s, leads.get(s, ()), drift.get(s, ())) for s in parts.states}
        alike = set(rows.values())
        if len(alike) == 1 and parts.states:
            rules.append(_rule(action, (), next(iter(alike))))
            continue
        by_row: dict[Ways, list[str]] = {}
        for state, row in rows.items():
            by_row.setdefault(row, []).append(state)
        rules += [_rule(action, tuple(states), row) for row, states in by_row.items()]
    is_moved = any(o.value != "@stay" for r in rules for o in r.then)
    if is_moved and all(p in (0.0, 1.0) for r in rules for p in (o.p for o in r.then)):
        draft.assume("an action always works")
    return Conditional(of="state", given=("act", "state"), table=Table(kind="rules",
                       rules=tuple(rules)))  # fmt: skip


def _mixed(state: str, leads: Ways, drift: Ways) -> Ways:
    """The outcomes of one state: `leads` with their probabilities, else what happens by itself."""
    found: dict[str, float] = {}
    rest = 1.0
    for ways in (leads, drift):
        moves = [way for way in ways if way[0] != state]
        for to, p in moves:
            found[to] = found.get(to, 0.0) + rest * p
        rest *= max(1.0 - sum(p for _, p in moves), 0.0)
    if rest > _LEAST:
        found["@stay"] = rest
    return tuple((to, round(p, 12)) for to, p in found.items() if p > 0)


def _rule(action: str, states: tuple[str, ...], row: Ways) -> Rule:
    said = when(("act", action), ("state", states)) if states else when(("act", action))
    return Rule(when=said, then=then(*row))


def _prior(draft: Draft, parts: Parts) -> Conditional:
    said = draft.first("start")
    start = near(str(said.value), parts.states) if said else ""
    if start:
        return Conditional(of="state", table=Table(kind="map", map=(start,)))
    if said and UNSAID not in parts.states:
        draft.ask(f"where does it start: which of {', '.join(parts.states)} is {said.value!r}?")
    elif len(parts.states) > 1 and draft.first("prior") is None:
        draft.assume("where it starts was not said: every state is equally likely")
    if prior := prior_of(draft, parts.states):
        return prior
    if parts.listed in (0, len(parts.states)):
        return Conditional(of="state", table=Table(kind="uniform"))
    share = 1.0 / max(parts.listed, 1)
    row = tuple(share if n < parts.listed else 0.0 for n in range(len(parts.states)))
    return Conditional(of="state", table=Table(kind="rows", rows=(row,)))


def _is_decision(draft: Draft, effects: Sequence[Effect]) -> bool:
    """Whether nothing is said to happen, and what is done is worth something in a state."""
    names = draft.names
    paid = [roots_of(one.about) for one in draft.of("utility")]
    return not any(one.action for one in effects) and any(
        any(roots_of(s) & about for s in names.states)
        and any(roots_of(a) & about for a in names.actions)
        for about in paid
    )


def _has_payoff(draft: Draft, label: str) -> bool:
    own = roots_of(label)
    return any(own & roots_of(one.about) for one in draft.of("utility"))


def _farthest(parts: Parts, moved: dict[str, Leads], goals: Sequence[str]) -> int:
    """The most steps from a state to the nearest goal that can be reached from it."""
    steps = dict.fromkeys((goal for goal in goals if goal in parts.states), 0)
    for _ in parts.states:
        for state, steps_to in _nearer(moved, steps):
            steps[state] = min(steps.get(state, steps_to), steps_to)
    return max(steps.values(), default=1)


def _nearer(moved: dict[str, Leads], steps: dict[str, int]) -> Iterator[tuple[str, int]]:
    for leads in moved.values():
        for state, ways in leads.items():
            for to, _ in ways:
                if to in steps:
                    yield state, steps[to] + 1
