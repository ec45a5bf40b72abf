"""The pure core of the loop: an answer in, the next decision out.

What is done next follows from what was wrong with the answer: a few faults are patched, an answer
that did not parse is rewritten, faults that come back call for a fresh sample and then for the
stronger route, a cut-off answer gets more room.
"""

from __future__ import annotations

import dataclasses
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

from orchestrator.generation.answers import UNFINISHED, UNUSABLE, changed, evaluate_answer, missing
from orchestrator.generation.cut_off import after_cut_off, refused_as_too_long
from orchestrator.generation.findings import is_known, own_code, unparsed
from orchestrator.generation.request_variants import another_sample, as_document, as_patch
from orchestrator.generation.state import Ask, Decision, Finished, GiveUp, State
from orchestrator.types.errors import CheckError, ContextWindowExceededError
from orchestrator.types.requests import Attempt, Evaluation

if TYPE_CHECKING:
    from orchestrator.generation.staged.course import Course
    from orchestrator.types.requests import Answer, Request

T = TypeVar("T")

MANY_FAULTS = 8  # beyond it a patch would touch most of the document


def step(state: State[T], answer: Answer) -> tuple[State[T], Decision[T]]:
    """Evaluate the answer and decide what is next. Pure: no clock, no disk, no network.

    Raises: CheckError: a check of the caller raised; it carries every attempt.
    """
    if state.course is not None:
        return _staged(state, state.course, answer)
    asked = state.asked
    try:
        evaluation = _evaluate(state, answer)
    except CheckError as error:
        last = Attempt(asked.request, answer, error.evaluation, asked.purpose, asked.reason)
        error.attempts = (*state.attempts, last)
        raise
    return _decided(state, Attempt(asked.request, answer, evaluation, asked.purpose, asked.reason))


def in_stages(state: State[T], why: str = "") -> tuple[State[T], Ask] | None:
    """The state with the first question of staged mode; None where the run may not go on so."""
    if state.staging is None or state.course is not None:
        return None
    # Few runs come to that.
    from orchestrator.generation.staged.course import begin  # noqa: PLC0415

    course = begin(state.staging, state.first, state.contract, why)
    return dataclasses.replace(state, course=course, asked=course.asked), course.asked


def _staged(state: State[T], course: Course[T], answer: Answer) -> tuple[State[T], Decision[T]]:
    from orchestrator.generation.staged import course as stages  # noqa: PLC0415  long loaded

    try:
        course, attempt, decision = stages.step(course, answer)
    except CheckError as error:
        asked = state.asked
        last = Attempt(asked.request, answer, error.evaluation, asked.purpose, asked.reason)
        error.attempts = (*state.attempts, last)
        raise
    attempts = (*state.attempts, attempt)
    state = dataclasses.replace(
        state, attempts=attempts, unjudged=None, course=course, asked=course.asked
    )
    return state, decision


def refused(state: State[T], error: ContextWindowExceededError) -> tuple[State[T], Ask]:
    """What to ask after a server refused a question as too long: a shorter one, or small ones.

    Raises: ContextWindowExceededError: `error`, where there is neither.
    """
    if state.course is not None:
        raise error
    try:
        return refused_as_too_long(state, error)
    except ContextWindowExceededError:
        found = in_stages(state, "the context window is too small")
        if found is None:
            raise
    return found


def _decided(state: State[T], attempt: Attempt[T]) -> tuple[State[T], Decision[T]]:
    before, evaluation = state, attempt.evaluation
    state = dataclasses.replace(
        state,
        attempts=(*state.attempts, attempt),
        unjudged=None,
        best=_better(state.best, evaluation),
        failed_patches=state.failed_patches + _is_failed_patch(evaluation),
    )
    if evaluation.is_accepted:
        return state, Finished(attempt)
    if any(d.code == UNFINISHED for d in evaluation.report.errors):
        return state, GiveUp("the request does not say enough for a model")
    decision: Ask | GiveUp
    if len(state.attempts) < state.bounds.max_calls:
        state, decision = _next(before, state, evaluation)
    else:
        words = f"{len(state.attempts)} calls, the most allowed, gave no valid answer"
        decision = GiveUp(words)
    if isinstance(decision, Ask):
        return state, decision
    return in_stages(state, decision.reason) or (state, decision)


def started(
    state: State[T], prior_attempts: tuple[Attempt[T], ...]
) -> tuple[State[T], Decision[T]]:
    """The state and what is asked first: in stages, after `prior_attempts`, or as it stands."""
    if state.staging is not None and state.staging.is_first:
        return in_stages(state) or (state, state.asked)
    return resumed(state, prior_attempts) if prior_attempts else (state, state.asked)


def resumed(
    state: State[T], prior_attempts: tuple[Attempt[T], ...]
) -> tuple[State[T], Decision[T]]:
    """The state after attempts that were evaluated elsewhere, none accepted: patch the best."""
    best = min(prior_attempts, key=lambda attempt: rank(attempt.evaluation))
    others = tuple(attempt for attempt in prior_attempts if attempt is not best)
    return _decided(dataclasses.replace(state, attempts=others, is_fresh=True), best)


def _evaluate(state: State[T], answer: Answer) -> Evaluation[T]:
    is_patch, contract = state.asked.purpose == "patch", state.contract
    try:
        with nullcontext() if is_known(contract) else own_code(contract.name):
            evaluation = evaluate_answer(contract, answer, _shown(state), is_patch=is_patch)
    except CheckError as error:
        error.evaluation = error.evaluation or unparsed("the contract raised")
        raise
    if state.base_document is not None and evaluation.is_accepted:
        return changed(evaluation, state.base_document)
    return evaluation


def _shown(state: State[T]) -> Evaluation[T] | None:
    """The document that the question shows, and that a patch changes; None for none."""
    last = state.attempts[-1].evaluation if state.attempts else None
    if state.asked.purpose != "rewrite" or last is None or _is_failed_patch(last):
        is_shown = state.asked.purpose in ("patch", "rewrite") or state.base_document is not None
        return state.target if is_shown else None
    return last if last.value is not None else state.base_document


def _is_failed_patch(evaluation: Evaluation[T]) -> bool:
    return any(d.code.startswith("PATCH") for d in evaluation.report.errors)


def rank(evaluation: Evaluation[T]) -> tuple[int, int, int, int]:
    """How far an answer is from valid: without a value, then what is missing, then its errors."""
    faults = [d for d in evaluation.report.errors if not d.code.startswith("PATCH")]
    return (0 if evaluation.value is not None else 1, *missing(evaluation), len(faults))


def _better(best: Evaluation[T] | None, new: Evaluation[T]) -> Evaluation[T] | None:
    """The one of lower rank; an answer without a value is never best."""
    if new.value is None or _is_failed_patch(new):
        return best
    return new if best is None or rank(new) <= rank(best) else best


def _next(
    before: State[T], state: State[T], evaluation: Evaluation[T]
) -> tuple[State[T], Ask | GiveUp]:
    if evaluation.kind == "truncated":
        return _allow_more_tokens(state)
    if evaluation.kind in ("refusal", "schema_echo", "empty"):
        return _resample_or_escalate(state, UNUSABLE[evaluation.kind])
    if why := _why_unusable(state, evaluation):
        if state.asked.purpose == "rewrite":
            return _resample_or_escalate(state, f"a second answer {why}")
        return _rewrite(state, evaluation, f"the answer {why}")
    if _is_failed_patch(evaluation):
        if state.failed_patches >= 2:
            return _rewrite(state, evaluation, "two patches failed")
        return _patch_again(state, evaluation, "the patch failed")
    if _is_stuck(before, evaluation):
        return _resample_or_escalate(state, "the same faults came back, or more of them")
    if len(evaluation.report.errors) > MANY_FAULTS:
        return _rewrite(
            state, evaluation, f"{len(evaluation.report.errors)} faults are too many to patch"
        )
    return _patch(state, f"{len(evaluation.report.errors)} faults to mend")


def _is_stuck(before: State[T], evaluation: Evaluation[T]) -> bool:
    if before.best is None:
        return False
    old = sorted((d.code, d.pointer) for d in before.best.report.errors)
    new = sorted((d.code, d.pointer) for d in evaluation.report.errors)
    lacked, lacks = missing(before.best)[0], missing(evaluation)[0]
    return new == old or (lacks, len(new)) > (lacked, len(old))


def _why_unusable(state: State[T], evaluation: Evaluation[T]) -> str:
    """Why there is nothing to patch; empty when there is."""
    if evaluation.kind == "unparsed":
        return "could not be read"
    at_root, _ = missing(evaluation)
    if not at_root or evaluation is not state.best:
        return ""
    # A patch would have to write most of the document, or its end.
    view = state.contract.name_keyed(evaluation)
    is_begun_only = evaluation.may_be_cut or bool(view and at_root > len(json.loads(view)))
    return "is not finished" if is_begun_only else ""


def _ask_next(state: State[T], ask: Ask) -> tuple[State[T], Ask]:
    """Take up the question; one that was asked before becomes another sample of itself."""
    before = [attempt.request for attempt in state.attempts]
    while ask.request in before:
        ask = dataclasses.replace(ask, request=another_sample(ask.request))
    return dataclasses.replace(state, asked=ask), ask


def _patch(state: State[T], reason: str) -> tuple[State[T], Ask | GiveUp]:
    best = state.best
    view = state.contract.name_keyed(best) if best is not None else ""
    if best is None or not view:
        return _resample_or_escalate(state, reason)
    request = dataclasses.replace(state.asked.request, purpose="patch")
    request = _for_patch(state, request, best, view)
    return _ask_next(state, Ask(request, "patch", reason))


def _for_patch(state: State[T], request: Request, best: Evaluation[T], view: str) -> Request:
    """`request` as one for a patch of `view`, the name-keyed form of `best`."""
    findings = state.contract.explain(best)
    messages, templates = state.follow_ups.patch(state.first, view, findings)
    description = state.first.description
    return dataclasses.replace(
        as_patch(request),
        messages=messages,
        templates={**state.first.templates, **templates},
        sample=state.first.sample,
        description=description and description.for_patch(view, findings),
    )


def _patch_again(state: State[T], evaluation: Evaluation[T], reason: str) -> tuple[State[T], Ask]:
    """The question whose answer could not be applied, that answer, and what was wrong with it."""
    asked, answer = state.asked.request, state.attempts[-1].answer.text
    findings = state.contract.explain(evaluation)
    messages, templates = state.follow_ups.patch_again(asked, answer, findings)
    request = dataclasses.replace(
        asked, messages=messages, templates={**asked.templates, **templates}, purpose="patch"
    )
    return _ask_next(state, Ask(request, "patch", reason))


def _rewrite(state: State[T], evaluation: Evaluation[T], reason: str) -> tuple[State[T], Ask]:
    answer = state.attempts[-1].answer.text
    findings = state.contract.explain(evaluation)
    messages, templates = state.follow_ups.rewrite(state.first, answer, findings)
    request = dataclasses.replace(
        state.first,
        route=state.asked.request.route,
        messages=messages,
        templates={**state.first.templates, **templates},
        purpose="rewrite",
    )
    if state.base_document is not None:
        request = as_document(request, state.contract)
    return _ask_next(state, Ask(request, "rewrite", reason))


def _resample_or_escalate(state: State[T], reason: str) -> tuple[State[T], Ask | GiveUp]:
    """A fresh sample of the first question; after that, the stronger route."""
    strong, asked = state.bounds.strong_route, state.asked.request.route
    on_strong = strong and asked == strong
    if not state.is_fresh:
        request = another_sample(state.first)
        route = strong if on_strong else request.route
        request = dataclasses.replace(request, route=route, purpose="fresh")
        # A document that is to be changed is patched from its original again.
        best = state.best if state.base_document is None else None
        state = dataclasses.replace(state, is_fresh=True, best=best)
        purpose = _initial_purpose(state, "fresh")
        return _ask_next(state, Ask(request, purpose, f"{reason}: a fresh sample"))
    if strong and not on_strong:
        return _escalate(state, reason)
    return state, GiveUp(f"{reason}, and there is no stronger route left")


def _initial_purpose(state: State[T], purpose: str) -> str:
    """`purpose`; the answer to the first question again is a patch where that asked for one."""
    return purpose if state.base_document is None else "patch"


def _escalate(state: State[T], reason: str) -> tuple[State[T], Ask]:
    """The stronger route sees the task, the best document and its findings, not the path there."""
    best = state.best
    view = state.contract.name_keyed(best) if best is not None else ""
    reason = f"{reason}: the stronger route"
    request = dataclasses.replace(state.first, route=state.bounds.strong_route, purpose="escalate")
    if best is None or not view:
        return _ask_next(state, Ask(request, _initial_purpose(state, "escalate"), reason))
    request = _for_patch(state, request, best, view)
    # The answer is a patch, so it is judged as one.
    return _ask_next(state, Ask(request, "patch", reason))


def _allow_more_tokens(state: State[T]) -> tuple[State[T], Ask | GiveUp]:
    """What `after_cut_off` says; where it has no question, another sample, or another model."""
    found = after_cut_off(state, state.attempts[-1].answer)
    if found.ask is not None:
        return _ask_next(found.state, found.ask)
    if not found.needs_another_model:
        return _resample_or_escalate(state, found.reason)
    if state.bounds.strong_route not in ("", state.asked.request.route):
        return _escalate(state, found.reason)
    return state, GiveUp(f"{found.reason}; use a model that reads more, or ask for less")
