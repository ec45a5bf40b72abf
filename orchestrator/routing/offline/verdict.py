"""An agent that finds out which of several things is so, and says it: right or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.gmn.model import (
    Conditional,
    GMNSpec,
    Goal,
    Payoff,
    Policy,
    Preference,
    Rule,
    Table,
    Variable,
)
from orchestrator.gmn.request.names import roots, roots_of
from orchestrator.gmn.request.tokens import words
from orchestrator.routing.offline.draft import labelled, prior_of, then, when
from orchestrator.routing.offline.sensing import is_sense, with_look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.request.commitment import Commitment
    from orchestrator.routing.offline.draft import Draft

_DECIDES = words(
    "whether distinguishes distinguish identifies identify guesses guess diagnoses diagnose"
    " determines determine recognises recognizes recognise recognize classifies classify verdict"
    " finds find detects detect judges judge sorts"
)
_WRONG = words("wrong error errors mistake mistakes false incorrect mistaken misjudging")
_RIGHT = words("right correct correctly")
_MISSED = words("missed miss missing overlooked undetected overlooking")
RIGHT, WRONG = 3.0, -6.0  # utilities in nats, where the sentence names no number


def is_verdict(draft: Draft) -> bool:
    """Whether a sentence is about finding out which of its names is so."""
    if not draft.names.states or any(not e.is_shown for e in draft.reading.effects):
        return False
    if list(draft.of("goal", "avoid", "size")):
        return False
    is_said = draft.words & (_DECIDES | {"verdict", "tell"})
    is_said |= {one.about for one in draft.of("utility") if _is_of(one, _WRONG)}
    return bool(is_said) and _verb(draft) is not None


def _is_of(one: Commitment, some: frozenset[str]) -> bool:
    return not {word.casefold() for word in one.about.split()}.isdisjoint(some)


def _verb(draft: Draft) -> str | None:
    """The word with which it says what is so; None where its actions do something else."""
    others = [name for name in draft.names.actions if not is_sense(labelled([name])[0])]
    own = {part for name in draft.names.states for part in roots_of(name)}
    heads = [name.split()[0] for name in others if roots(name.split()[-1]) & own]
    return (heads[0] if heads else "say") if len(heads) == len(others) else None


def build_verdict(draft: Draft) -> GMNSpec:
    """The truth, which stays; a look that shows it with noise; a verdict that ends the episode."""
    truth = draft.fitting(labelled(draft.names.states), "max_states")
    look = tuple(a for a in labelled(draft.names.actions) if is_sense(a)) or ("look",)
    if look == ("look",) and not draft.names.actions:
        draft.assume("`look` shows it, and a word for each ends the episode")
    verb = _verb(draft)
    says = tuple(f"{verb}_{label}"[:48] for label in truth)
    said = tuple(f"said_{label}"[:48] for label in truth)
    if draft.first("noise") is None:
        draft.ask(f"what shows which of {', '.join(truth)} it is, and how often is it right?")
    rules = [
        Rule(when=when(("act", a)), then=then((b, 1.0))) for a, b in zip(says, said, strict=True)
    ]
    rules.append(Rule(then=then(("@stay", 1.0))))
    spec = GMNSpec(
        name="agent",
        states=(
            Variable(name="state", labels=truth),
            Variable(name="verdict", labels=("open", *said), terminal=said),
        ),
        observations=(Variable(name="outcome", labels=("none", "right", "wrong")),),
        actions=(Variable(name="act", labels=(*look, *says)),),
        likelihoods=(_outcome(truth, said),),
        transitions=(
            Conditional(of="state", given=("state",), table=Table(kind="identity")),
            Conditional(of="verdict", given=("act", "verdict"),
                        table=Table(kind="rules", rules=tuple(rules))),
        ),
        priors=(
            prior_of(draft, truth) or Conditional(of="state", table=Table(kind="uniform")),
            Conditional(of="verdict", table=Table(kind="map", map=("open",))),
        ),
    )  # fmt: skip
    spec = with_look(draft, spec, look)
    if draft.first("prior") is None:
        draft.assume(f"each of {', '.join(truth)} is equally likely at first")
    horizon = draft.horizon(2, len(look) + len(says), 2 * len(truth) * (len(truth) + 1))
    wanted = _wanted(draft, truth, says, look)
    return spec.model_copy(update={"preferences": wanted, "policy": Policy(horizon=horizon)})


def _outcome(truth: Sequence[str], said: Sequence[str]) -> Conditional:
    rules = [Rule(when=when(("verdict", "open")), then=then(("none", 1.0)))]
    for name, verdict in zip(truth, said, strict=True):
        is_so = when(("state", name), ("verdict", verdict))
        rules.append(Rule(when=is_so, then=then(("right", 1.0))))
    rules.append(Rule(then=then(("wrong", 1.0))))
    table = Table(kind="rules", rules=tuple(rules))
    return Conditional(of="outcome", given=("state", "verdict"), table=table)


def _wanted(
    draft: Draft, truth: Sequence[str], says: Sequence[str], look: Sequence[str]
) -> tuple[Preference, ...]:
    """Utilities of a right and of a wrong verdict, and what a look costs."""
    worth: dict[str, float] = {}
    costs: dict[str, float] = {}
    rules: list[Payoff] = []
    noises = [draft.clause(one.span) for one in draft.of("noise")]
    for one in draft.of("utility"):
        value = float(one.value)  # type: ignore[arg-type]  # a utility is a number
        about = roots_of(one.about)
        missed = [k for k, name in enumerate(truth) if roots_of(name) & about]
        if missed and _is_of(one, _MISSED):
            rules += _when(truth, says, missed[0], value)
        elif _is_of(one, words("false")) and "alarm" in one.about and len(truth) == 2:
            rules += _alarm(draft, truth, says, value)
        elif _is_of(one, _WRONG):
            worth["wrong"] = value
        elif _is_of(one, _RIGHT):
            worth["right"] = value
        elif draft.clause(one.span) in noises or any(roots_of(a) & about for a in look):
            costs = dict.fromkeys(look, value)
        else:
            draft.ask(f"what does {draft.reading.said(one)!r} count for?")
    if "wrong" not in worth and not rules:
        draft.assume(f"a wrong answer is worth {WRONG:g}")
        worth["wrong"] = WRONG
    if "right" not in worth:
        draft.assume(f"a right answer is worth {RIGHT:g}")
        worth["right"] = RIGHT
    found = [Preference(on="outcome", goals=tuple(Goal(value=v, utility=u) for v, u in
                        sorted(worth.items())))]  # fmt: skip
    rules += [Payoff(when=when(("act", a)), utility=cost) for a, cost in costs.items()]
    if rules:
        found.append(Preference(on="act", given=("state",), rules=tuple(rules)))
    return tuple(found)


def _when(truth: Sequence[str], says: Sequence[str], at: int, value: float) -> list[Payoff]:
    """What it is worth to say anything else where one of the names is so."""
    others = tuple(say for k, say in enumerate(says) if k != at)
    return [Payoff(when=when(("state", truth[at]), ("act", others)), utility=value)]


def _alarm(draft: Draft, truth: Sequence[str], says: Sequence[str], value: float) -> list[Payoff]:
    """A false alarm: the one that can be missed is said where the other is so."""
    for one in draft.of("utility"):
        if _is_of(one, _MISSED):
            for at, name in enumerate(truth):
                if roots_of(name) & roots_of(one.about):
                    return _when(truth, says, 1 - at, value)
    draft.ask(f"which of {', '.join(truth)} is the alarm?")
    return []
