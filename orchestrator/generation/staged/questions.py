"""Which question comes next: those that the sentence, and the answers so far, leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.generation.staged.document import shown_by
from orchestrator.generation.staged.question import ClosedQuestion
from orchestrator.generation.staged.roles import NONE, scene_of
from orchestrator.generation.staged.sheet import figure
from orchestrator.generation.staged.wishes import wanted_in
from orchestrator.gmn.request.labels import labels_of as found_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.generation.staged.roles import Answers, Roles
    from orchestrator.generation.staged.sheet import Sheet

Slots = dict[str, tuple[str, tuple[str, ...]]]

MOST_SLOTS = 8  # of one question: the rest follows from names, or stays as it is
_MOST_CHOICES = 24


def numbered(sheet: Sheet, answers: Answers, begin: int) -> tuple[int, ClosedQuestion] | None:
    """The first question from number `begin` on that has something to ask, with its number.

    None after the last one.
    """
    for number in range(begin, len(_QUESTIONS)):
        question = _QUESTIONS[number](sheet, answers)
        if question is not None and question.slots:
            return number, question
    return None


def first_question(sheet: Sheet) -> tuple[int, ClosedQuestion]:
    """The first question about a sentence: of its kind, where it leaves nothing else open."""
    return numbered(sheet, {}, 0) or (len(_QUESTIONS), _KIND)


_KIND = ClosedQuestion(
    "kind of model",
    "Which fits? changes: what it does changes how things are. hidden: something is hidden, it has"
    " to find out what and do what suits. moves: it goes from place to place.",
    {"kind": ("kind", ("changes", "hidden", "moves"))},
)


def _kind(sheet: Sheet, answers: Answers) -> ClosedQuestion | None:
    roles = scene_of(sheet, answers)
    aims = [label for label in wanted_in(roles) if label.kind == "state"]
    if roles.is_grid or aims:
        return None
    return _KIND


def _roles(sheet: Sheet, answers: Answers) -> ClosedQuestion | None:
    del answers
    slots = {
        f"role:{n}": (f"list_{n + 1}", ("states", "actions", "observations"))
        for n in sheet.open_lists[:MOST_SLOTS]
    }
    lists = "; ".join(
        f"list_{n + 1}: {', '.join(sheet.lists[n].labels[:8])}" for n in sheet.open_lists
    )
    text = (
        "What does each list name? states: what may be the case. actions: what can be done."
        f" observations: what is seen, heard or measured. {lists}"
    )
    return ClosedQuestion("what the lists are", text, slots)


def _names(sheet: Sheet, answers: Answers) -> ClosedQuestion | None:
    """Names for what the sentence does not list: what may be the case, and what can be done."""
    roles = scene_of(sheet, answers)
    if not sheet.words:
        return None
    choices = (*sheet.words, NONE)
    slots: Slots = {}
    if roles.main.names == ("not_yet", "done"):
        slots["case"] = ("may_be_the_case", choices)
    if not any(one.role == "actions" for one in sheet.lists) and _has_own_deeds(roles):
        slots |= {f"does:{n}": (f"can_do_{n}", choices) for n in (1, 2)}
    text = (
        "Which word of the sentence names what may be the case or not, and which words name what"
        " the agent can do? none where no word does."
    )
    return ClosedQuestion("names", text, slots)


def _has_own_deeds(roles: Roles) -> bool:
    return roles.actions[0].names[-1] in ("wait", "stay") and not roles.is_grid


def _effects(sheet: Sheet, answers: Answers) -> ClosedQuestion | None:
    roles = scene_of(sheet, answers)
    if roles.is_hidden:
        choices = (*roles.main.names[:_MOST_CHOICES], NONE)
        slots = {
            f"suit:{act}": (act, choices)
            for act in roles.actions[-1].names
            if act not in (f"say_{label}" for label in roles.main.names) and act != "wait"
        }
        text = "For which case is each action right? none: for no case, or only to look."
        return ClosedQuestion("what suits what", text, _first(slots))
    steps = ("next", "previous") if roles.main.n > 2 else ()
    choices = (*roles.conditions[:_MOST_CHOICES], *steps, "no_change")
    slots = {
        f"effect:{act}": (act, choices)
        for act in roles.acts
        if not roles.outright(act) and not act.startswith("go_")
    }
    text = "What does each action lead to?"
    if steps:
        text += f" next, previous: one further or back in {', '.join(roles.main.names[:6])}."
    return ClosedQuestion("what the actions change", text, _first(slots))


def _shows(sheet: Sheet, answers: Answers) -> ClosedQuestion | None:
    roles = scene_of(sheet, answers)
    slots: Slots = {}
    for seen, shown in roles.observations:
        state = next(one for one in roles.states if one.name == shown)
        if seen.names == state.names or seen.n < 2:
            continue
        if all(a == b for a, b in zip(shown_by(roles, seen, state), state.names, strict=True)):
            continue
        slots |= {f"show:{label}": (label, seen.names[:_MOST_CHOICES]) for label in state.names}
    text = "What is most likely seen when this is the case?"
    return ClosedQuestion("what is seen", text, _first(slots))


def _worth(sheet: Sheet, answers: Answers) -> ClosedQuestion | None:
    roles = scene_of(sheet, answers)
    own = dict.fromkeys((*roles.conditions, *roles.acts))
    choices = (*list(own)[:_MOST_CHOICES], NONE)
    slots: Slots = {}
    if not roles.is_hidden and not sheet.said("goal", "utility") and not roles.is_grid:
        slots["best"] = ("best", choices)
        if not sheet.said("avoid"):
            slots["worst"] = ("worst", choices)
    text = "What does the agent like best and least, and what is each number the worth of?"
    for number, one in enumerate(sheet.said("utility"), 1):
        if not (one.about and found_in(roles.stub, one.about)):
            name = f"worth_{number}"
            slots[f"worth:{number}"] = (name, choices)
            text += f" {name}: {figure(one):g} in {sheet.reading.said(one)!r}."
    return ClosedQuestion("what it wants", text, _first(slots))


def _first(slots: Slots) -> Slots:
    return dict(list(slots.items())[:MOST_SLOTS])


_QUESTIONS: tuple[Callable[[Sheet, Answers], ClosedQuestion | None], ...] = (
    _kind, _roles, _names, _effects, _shows, _worth,
)  # fmt: skip
