"""Hypothesis strategies for valid documents with every table kind and section."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from orchestrator.gmn.model import (
    Condition,
    Conditional,
    Entry,
    GMNSpec,
    Goal,
    Habit,
    Move,
    Outcome,
    Payoff,
    Policy,
    Preference,
    Query,
    Rule,
    Table,
    Variable,
)

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)
utilities = st.integers(-8, 8).map(float) | st.floats(-8, 8, allow_nan=False)


@st.composite
def variables(draw: st.DrawFn, name: str) -> Variable:
    n = draw(st.integers(2, 4))
    form = draw(st.sampled_from(["labels", "size", "shape"]))
    description = draw(words)
    if form == "labels":
        return Variable(
            name=name, description=description, labels=tuple(f"{name}{i}" for i in range(n))
        )
    if form == "size":
        return Variable(name=name, description=description, size=n)
    return Variable(name=name, description=description, shape=(2, n))


def distribution(draw: st.DrawFn, n: int) -> tuple[float, ...]:
    weights = draw(st.lists(st.integers(1, 20), min_size=n, max_size=n))
    return tuple(w / sum(weights) for w in weights)


@st.composite
def tables(draw: st.DrawFn, of: Variable, given: list[Variable], kinds: list[str]) -> Table:
    contexts = 1
    for parent in given:
        contexts *= parent.n
    own = next((v for v in given if v.name == of.name), None)
    if contexts > 40:
        kinds = [kind for kind in kinds if kind != "rows"]
    if not given or (own is None and given[0].n != of.n):
        kinds = [kind for kind in kinds if kind != "identity"]
    kind: Any = draw(st.sampled_from(kinds))
    noise = draw(st.sampled_from([0.0, 0.05, 0.25]))
    noise_kind = draw(st.sampled_from(["uniform", "others", *(["stay"] if own else [])]))
    extra: Any = {"noise": noise, "noise_kind": noise_kind}
    if kind == "rows":
        return Table(
            kind="rows", rows=tuple(distribution(draw, of.n) for _ in range(contexts)), **extra
        )
    if kind == "map":
        labels = draw(st.lists(st.sampled_from(of.names), min_size=contexts, max_size=contexts))
        return Table(kind="map", map=tuple(labels), **extra)
    if kind == "rules":
        return Table(kind="rules", rules=draw(rules(of, given)), **extra)
    return Table(kind=kind, **extra)


@st.composite
def rules(draw: st.DrawFn, of: Variable, given: list[Variable]) -> tuple[Rule, ...]:
    made: list[Rule] = []
    if given:
        parent = draw(st.sampled_from(given))
        values = draw(st.lists(st.sampled_from(parent.names), min_size=1, max_size=2, unique=True))
        if len(values) < parent.n:
            when = (Condition(var=parent.name, values=tuple(values)),)
            p = draw(st.sampled_from([0.5, 0.75, 1.0]))
            first, second = draw(st.permutations(of.names))[:2]
            then = [Outcome(value=first, p=p), *([Outcome(value=second, p=1 - p)] if p < 1 else [])]
            made.append(Rule(when=when, then=tuple(then)))
    relative = any(v.name == of.name for v in given)
    last = draw(st.sampled_from([of.names[0], "*", *(["@stay"] if relative else [])]))
    return (*made, Rule(then=(Outcome(value=last, p=1.0),)))


@st.composite
def moves(draw: st.DrawFn, of: Variable, action: Variable) -> Table:
    axes = len(of.shape) or 1
    steps = st.tuples(*[st.integers(-1, 1)] * axes)
    return Table(
        kind="grid" if of.shape else "shift",
        moves=tuple(Move(action=label, delta=draw(steps)) for label in action.names),
        boundary=draw(st.sampled_from(["stay", "clamp", "wrap"])),
        blocked=tuple(draw(st.lists(st.sampled_from(of.names), max_size=1))),
    )


@st.composite
def valid_specs(draw: st.DrawFn) -> GMNSpec:
    """A document without a single error."""
    states = [draw(variables(name)) for name in ("s", "t")[: draw(st.integers(1, 2))]]
    observations = [draw(variables(name)) for name in ("o", "p")[: draw(st.integers(1, 2))]]
    actions = [draw(variables("u"))]
    every = ["rows", "map", "identity", "uniform", "rules"]
    likelihoods = []
    for observation in observations:
        given = draw(
            st.lists(st.sampled_from(states), min_size=1, max_size=2, unique_by=lambda v: v.name)
        )
        likelihoods.append(
            _conditional(observation, given, draw(tables(observation, given, every)))
        )
    transitions = []
    for index, state in enumerate(states):
        if index == 0 and draw(st.booleans()):
            table = draw(moves(state, actions[0]))
            transitions.append(_conditional(state, [actions[0], state], table))
        else:
            given = [*actions, *draw(st.sampled_from([[state], states]))] if index == 0 else [state]
            transitions.append(_conditional(state, given, draw(tables(state, given, every))))
    priors = [_conditional(s, [], draw(tables(s, [], ["rows", "map", "uniform"]))) for s in states]
    # Only a label that is not all of what the state can begin with.
    begins = [prior.table.map[0] if prior.table.kind == "map" else "" for prior in priors]
    states = [
        state.model_copy(update={"terminal": draw(terminal(state, begin))})
        for state, begin in zip(states, begins, strict=True)
    ]
    return GMNSpec(
        name=draw(st.sampled_from(["agent", "two words", "a1"])),
        description=draw(words),
        agent_type=draw(st.sampled_from(["explorer", "trader", "general"])),
        states=tuple(states),
        observations=tuple(observations),
        actions=tuple(actions),
        likelihoods=tuple(draw(learning(table)) for table in likelihoods),
        transitions=tuple(draw(learning(table)) for table in transitions),
        priors=tuple(draw(learning(table)) for table in priors),
        preferences=(
            *draw(preferences(observations, states)),
            *draw(payoffs([*states, *actions])),
        ),
        habits=tuple(draw(habits(actions[0]))),
        policy=Policy(
            horizon=draw(st.integers(1, 2)),
            gamma=draw(st.sampled_from([0.5, 4.0, 16.0])),
            selection=draw(st.sampled_from(["deterministic", "stochastic", "contingent"])),
            info_gain=draw(st.booleans()),
            discount=draw(st.sampled_from([1.0, 0.95, 0.3])),
        ),
        queries=tuple(draw(queries(observations[0]))),
        metadata=tuple(
            Entry(key=f"k{i}", value=v) for i, v in enumerate(draw(st.lists(words, max_size=2)))
        ),
    )


def terminal(state: Variable, begin: str) -> st.SearchStrategy[tuple[str, ...]]:
    last = state.names[-1]
    return st.sampled_from([(), *([(last,)] if last != begin else [])])


def learning(conditional: Conditional) -> st.SearchStrategy[Conditional]:
    counts = st.sampled_from([None, None, 1.0, 0.5, 20.0])
    return counts.map(
        lambda count: (
            conditional
            if count is None
            else conditional.model_copy(update={"learn": True, "concentration": count})
        )
    )


def _conditional(of: Variable, given: list[Variable], table: Table) -> Conditional:
    return Conditional(of=of.name, given=tuple(v.name for v in given), table=table)


@st.composite
def preferences(
    draw: st.DrawFn, observations: list[Variable], states: list[Variable]
) -> list[Preference]:
    made = []
    for target in draw(
        st.lists(st.sampled_from([*observations, *states]), max_size=2, unique_by=lambda v: v.name)
    ):
        if draw(st.booleans()):
            values = draw(st.lists(utilities, min_size=target.n, max_size=target.n))
            if len(set(values)) > 1:  # a repair drops equal utilities
                made.append(Preference(on=target.name, values=tuple(values), reason=draw(words)))
        else:
            label = draw(st.sampled_from(target.names))
            made.append(Preference(on=target.name, goals=(Goal(value=label, utility=-2.0),)))
    return made


@st.composite
def payoffs(draw: st.DrawFn, variables: list[Variable]) -> list[Preference]:
    """At most one preference by rules, the first of which leaves a case to the others."""
    names = draw(st.lists(st.sampled_from(variables), max_size=3, unique_by=lambda v: v.name))
    if not names:
        return []
    first, *_ = names
    made = [Payoff(when=(Condition(var=first.name, values=first.names[:1]),), utility=-2.0)]
    if draw(st.booleans()):
        made.append(Payoff(utility=draw(st.floats(-1, 8))))
    rest = tuple(v.name for v in names[1:])
    return [Preference(on=first.name, given=rest, rules=tuple(made), reason=draw(words))]


@st.composite
def habits(draw: st.DrawFn, action: Variable) -> list[Habit]:
    if draw(st.booleans()):
        return []
    weights = draw(st.lists(st.integers(1, 5).map(float), min_size=action.n, max_size=action.n))
    return [Habit(action=action.name, weights=tuple(weights))]


@st.composite
def queries(draw: st.DrawFn, observation: Variable) -> list[Query]:
    if draw(st.booleans()):
        return []
    prompt = f"Which {{{observation.name}}} is it?\nOne word."
    return [
        Query(name="q", trigger="on_uncertainty", trigger_value=0.5, inputs=(observation.name,),
              prompt=prompt, effect="observe", target=observation.name)
    ]  # fmt: skip
