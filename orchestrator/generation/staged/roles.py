"""The variables of a model: names of the sentence, each in its role."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.generation.staged.names import label_of, labels_of, variable_name
from orchestrator.gmn.model import GMNSpec, Variable
from orchestrator.gmn.request.labels import labels_of as found_in
from orchestrator.gmn.request.labels import stems
from orchestrator.gmn.request.tokens import stem, words
from orchestrator.types.cached import cached_property

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.generation.staged.sheet import NameList, Sheet

    #: What was answered: under ``kind``, ``role:2``, ``effect:cool`` and the like a choice.
    Answers = Mapping[str, str]

NONE = "none"
GRID = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1), "stay": (0, 0)}
_COMPASS = {"north": "up", "south": "down", "west": "left", "east": "right"}
_IDLE = frozenset(map(stem, words("wait stay idle noop none nothing")))
_MOST_JOINT, _MOST_PLACES = 2048, 8
LINE = ("forward", "back", "stay")


@dataclass(frozen=True)
class Roles:
    """What a model is about, before anything is said about how it changes.

    Attributes:
        states: the factors; the first is the main one.
        observations: each with the state that it shows.
        actions: at least one.
    """

    sheet: Sheet
    answers: Answers
    states: tuple[Variable, ...]
    observations: tuple[tuple[Variable, str], ...]
    actions: tuple[Variable, ...]

    @property
    def main(self) -> Variable:
        """The state that the model is about first of all."""
        return self.states[0]

    @property
    def is_grid(self) -> bool:
        """Whether the main state is a grid."""
        return len(self.main.shape) == 2

    @cached_property
    def stub(self) -> GMNSpec:
        """A document of the variables alone, in which names are looked up."""
        return GMNSpec(
            states=self.states,
            observations=tuple(one for one, _ in self.observations),
            actions=self.actions,
        )

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """The labels of all states that are not cells."""
        plain = [one.names for one in self.states if len(one.shape) != 2]
        return tuple(dict.fromkeys(label for names in plain for label in names))

    @property
    def is_hidden(self) -> bool:
        """Whether the main state stays as it is, and has to be found out."""
        return not self.is_grid and self.answers.get("kind") == "hidden"

    def factor_of(self, label: str) -> Variable | None:
        """The first state that has a label."""
        return next((one for one in self.states if label in one.names), None)

    @cached_property
    def acts(self) -> tuple[str, ...]:
        """The labels of the actions that are not steps on a grid or along a line."""
        known = {*GRID, *_COMPASS} if self.is_grid else set()
        own = [one for one in self.actions if not known & {n.casefold() for n in one.names}]
        return tuple(label for one in own for label in one.names)

    def outright(self, act: str) -> str:
        """What an action leads to by its name; empty where its name does not say it."""
        if act.casefold() in LINE and act != "stay":
            return "next" if act.casefold() == "forward" else "previous"
        parts = stems(act)
        alike = [c for c in self.conditions if parts & stems(c)]
        distinct = [
            c
            for c in alike
            if any(sum(p in stems(o) for o in self.conditions) == 1 for p in parts & stems(c))
        ]
        if len(distinct) == 1:
            return distinct[0]
        return "no_change" if not alike and not parts.isdisjoint(_IDLE) else ""


def scene_of(sheet: Sheet, answers: Answers) -> Roles:
    """The variables for what the sentence says and a model answered; always at least one each."""
    by_role: dict[str, list[NameList]] = {"states": [], "observations": [], "actions": []}
    for number, one in enumerate(sheet.lists):
        role = one.role or answers.get(f"role:{number}") or _role_left(by_role)
        by_role[role].append(one)
    states = _states(sheet, answers, by_role)
    taken = [one.name for one in states]
    actions = _actions(sheet, answers, by_role["actions"], states, taken)
    taken += [one.name for one in actions]
    return Roles(sheet, answers, states, _observations(by_role, states, taken), actions)


def _role_left(known: Mapping[str, Sequence[NameList]]) -> str:
    """What an open list is where nobody says it: states first, then actions."""
    return next((role for role in ("states", "actions") if not known[role]), "observations")


def _states(
    sheet: Sheet, answers: Answers, by_role: Mapping[str, Sequence[NameList]]
) -> tuple[Variable, ...]:
    found: list[Variable] = []
    taken: list[str] = []

    def add(said: str, labels: Sequence[str], shape: tuple[int, ...] = ()) -> None:
        joint = math.prod(one.n for one in found) * (math.prod(shape) if shape else len(labels))
        if joint <= _MOST_JOINT or not found:
            taken.append(variable_name(said, taken))
            found.append(Variable(name=taken[-1], labels=tuple(labels), shape=shape))

    if sheet.size is not None:
        rows, columns = sheet.size
        add("position", (), (columns, rows) if answers.get("grid") == "turned" else sheet.size)
    lists = sorted(by_role["states"], key=lambda one: bool(one.noun))
    for one in lists:
        add(one.noun or "state", one.labels)
    own = [label_of(name) for name in sheet.alone if label_of(name)]
    if own:
        others = "elsewhere" if len(own) > 1 else f"not_{own[0]}"[:48]
        add("outcome", labels_of([*own, others]))
    if not found and by_role["observations"]:
        add("state", by_role["observations"][0].labels)
    if not found:
        case = answers.get("case", NONE)
        add("state", ("not_yet", "done") if case == NONE else (case, f"not_{case}"[:48]))
    return tuple(found)


def _actions(
    sheet: Sheet,
    answers: Answers,
    lists: Sequence[NameList],
    states: Sequence[Variable],
    taken: Sequence[str],
) -> tuple[Variable, ...]:
    known, found = list(taken), list[Variable]()
    directions = {*GRID, *_COMPASS}
    if len(states[0].shape) == 2:
        walks = [one for one in lists if len(directions & {n.casefold() for n in one.labels}) > 1]
        labels = walks[0].labels if walks else tuple(GRID)
        lists = [one for one in lists if one not in walks]
        known.append(variable_name("move", known))
        found.append(Variable(name=known[-1], labels=labels))
    for one in lists[:3]:
        known.append(variable_name("act", known))
        found.append(Variable(name=known[-1], labels=one.labels))
    if not found:
        known.append(variable_name("act", known))
        found.append(Variable(name=known[-1], labels=_deeds(answers, states[0])))
    return tuple(found)


def _deeds(answers: Answers, main: Variable) -> tuple[str, ...]:
    """Actions of a sentence that lists none: words of it, else one for each value."""
    said = [w for n in (1, 2) if (w := answers.get(f"does:{n}", NONE)) != NONE]
    if said:
        return labels_of([*dict.fromkeys(said), "wait"])
    if main.n > _MOST_PLACES:
        return LINE
    verb = "say" if answers.get("kind") == "hidden" else "go"
    return labels_of([*(f"{verb}_{label}" for label in main.names), "wait"])


def _observations(
    by_role: Mapping[str, Sequence[NameList]], states: Sequence[Variable], taken: list[str]
) -> tuple[tuple[Variable, str], ...]:
    """The lists that are observed show the first states; every other state is seen itself."""
    plain = [one for one in states if len(one.shape) != 2]
    found: list[tuple[Variable, str]] = []
    for number, one in enumerate(by_role["observations"][:6]):
        shown = plain[min(number, len(plain) - 1)] if plain else states[0]
        taken.append(variable_name("seen", taken))
        found.append((Variable(name=taken[-1], labels=one.labels), shown.name))
    covered = {name for _, name in found}
    for state in states:
        if state.name not in covered:
            taken.append(variable_name(f"seen_{state.name}", taken))
            seen = state.model_copy(update={"name": taken[-1]})
            found.append((seen, state.name))
    return tuple(found)


def is_named(roles: Roles, said: str) -> bool:
    """Whether a label of a state is called so."""
    return any(one.kind == "state" for one in found_in(roles.stub, said))
