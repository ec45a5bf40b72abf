"""Settles what stays doubtful: of documents that differ in one relation the better is kept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from orchestrator.generation.staged.document import document_of, shown_by
from orchestrator.generation.staged.roles import NONE, scene_of
from orchestrator.generation.staged.wishes import wanted_in
from orchestrator.gmn.acting.expectations import measure
from orchestrator.gmn.compile import compile_spec
from orchestrator.gmn.formats import write_text
from orchestrator.gmn.limits import DEFAULT_LIMITS
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.request.inferred import inferred_from
from orchestrator.gmn.request.labels import is_place, meant_by
from orchestrator.types.work import TooMuchWork, allowance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestrator.generation.staged.roles import Answers, Roles
    from orchestrator.generation.staged.sheet import Sheet
    from orchestrator.types.requests import Evaluation

T = TypeVar("T")
MOST_TRIED = 12  # documents beside the first
_EPISODES = 12
_MOST_JOINT = 4096  # values of all states and actions together, of which others are tried
_OFTEN = 0.8  # of the episodes, in which what is implied comes true


def settled(
    sheet: Sheet, answers: Answers, agent_type: str, judge: Callable[[str], Evaluation[T]]
) -> tuple[Evaluation[T], Answers]:
    """The best document that the answers allow, as `judge` evaluates it, with what it rests on.

    The one of the answers themselves stays unless another is better: accepted, with more of the
    sentence in it, doing more of what the sentence implies.
    """
    found: dict[str, tuple[Evaluation[T], tuple[float, ...]]] = {}

    def made(instead: Answers) -> tuple[Evaluation[T], tuple[float, ...]]:
        spec = document_of(sheet, answers, instead=instead, agent_type=agent_type)
        text = write_text(spec)
        if text not in found:
            evaluation = judge(text)
            found[text] = evaluation, _worth(sheet, evaluation)
        return found[text]

    instead: Answers = {}
    best, worth = made(instead)
    roles = scene_of(sheet, answers)
    joint = math.prod(one.n for one in (*roles.states, *roles.actions))
    if joint > _MOST_JOINT and best.is_accepted:  # each further document takes seconds
        return best, instead
    for change in _doubts(sheet, answers):
        if len(found) > MOST_TRIED or _is_settled(best, worth):
            break
        other, other_worth = made({**instead, **change})
        if other_worth > worth:
            best, worth, instead = other, other_worth, {**instead, **change}
    return best, instead


def _is_settled(evaluation: Evaluation[object], worth: tuple[float, ...]) -> bool:
    """Whether nothing of the sentence is missing, and it does what the sentence implies."""
    fits = evaluation.report.fits
    is_whole = fits is None or not fits.unmet
    return evaluation.is_accepted and is_whole and worth[4] >= _OFTEN


def _worth(sheet: Sheet, evaluation: Evaluation[object]) -> tuple[float, ...]:
    report = evaluation.report
    fits = report.fits
    share = fits.fulfilled if fits is not None else 0
    against = sum(one.outcome == "contradicted" for one in fits.unmet) if fits is not None else 0
    return (
        evaluation.is_accepted,
        -len(report.errors),
        -against,
        share,
        _behaves(sheet, evaluation),
        -len(report.warnings),
    )


def _behaves(sheet: Sheet, evaluation: Evaluation[object]) -> float:
    """The mean rate at which what the sentence implies comes true in simulated episodes."""
    if not isinstance(evaluation.value, GMNSpec) or not evaluation.is_accepted:
        return 0.0
    if not (wanted := inferred_from(sheet.sentence, evaluation.value)):
        return 1.0
    try:
        with allowance(DEFAULT_LIMITS.work // 20):
            model = compile_spec(evaluation.value)
            rates = [one.rate for one in measure(model, wanted, episodes=_EPISODES)]
    except TooMuchWork:  # then what fits decides
        return 0.0
    return sum(rates) / len(rates)


def _doubts(sheet: Sheet, answers: Answers) -> Iterator[Mapping[str, str]]:
    """Other readings of the relations that an answer or the order of a list decided."""
    roles = scene_of(sheet, answers)
    if roles.is_grid and not _are_inside(sheet, roles):
        yield {"grid": "turned"}
    for seen, shown in roles.observations:
        state = next(one for one in roles.states if one.name == shown)
        said = shown_by(roles, seen, state)
        if seen.names != state.names and len(set(said)) < min(seen.n, state.n):
            yield {f"show:{label}": "" for label in state.names}
    yield from _effects(roles)
    if roles.is_hidden:
        yield {"kind": "changes"}
    # An answer does not count against what the sentence says.
    yield from ({key: NONE} for key in answers if key.startswith(("worth:", "best", "worst")))
    yield dict.fromkeys(answers, "")


def _effects(roles: Roles) -> Iterator[Mapping[str, str]]:
    """Ways to what is wanted, for each action; to any value where a chance has no effect yet."""
    wanted = [one for one in wanted_in(roles) if one.kind == "state" and not one.is_cell]
    aims = [one.variable.names[one.at] for one in wanted[:2]]
    if not aims and roles.sheet.said("chance") and not roles.is_grid:
        aims = [roles.main.names[-1]]
    yield from ({f"effect:{act}": aim} for aim in aims for act in roles.acts[:8])


def _are_inside(sheet: Sheet, roles: Roles) -> bool:
    """Whether every place of the sentence is a cell of the grid."""
    places = [one for one in sheet.said("start", "goal", "avoid") if is_place(str(one.value))]
    return all(meant_by(one, roles.stub) for one in places)
