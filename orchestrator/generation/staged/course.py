"""The course of a run in staged mode: question, answer, next question, document. Pure, no I/O."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from orchestrator.generation.answers import UNUSABLE
from orchestrator.generation.cut_off import with_room
from orchestrator.generation.request_variants import another_sample
from orchestrator.generation.staged.questions import first_question, numbered
from orchestrator.generation.staged.settle import settled
from orchestrator.generation.staged.sheet import read_sheet
from orchestrator.generation.staged.staging import PURPOSE
from orchestrator.generation.state import Ask, Finished, GiveUp
from orchestrator.parsing.json_reader import classify
from orchestrator.types.diagnostics import Diagnostic, Report, Severity
from orchestrator.types.requests import Attempt, Evaluation

if TYPE_CHECKING:
    from orchestrator.generation.staged.question import ClosedQuestion
    from orchestrator.generation.staged.sheet import Sheet
    from orchestrator.generation.staged.staging import Staging
    from orchestrator.types.requests import Answer, Contract, Request

T = TypeVar("T")

#: Questions that are asked twice in vain before staged mode is given up.
MOST_IN_VAIN = 2
LONGER = 16  # factor on the length limit of a question whose answer was cut off


@dataclass(frozen=True, slots=True)
class Course(Generic[T]):
    """A run in staged mode so far.

    Attributes:
        first: the question as a whole, from which each of these takes route and parameters.
        number: which of the questions is being answered.
        answers: the choices so far.
        unanswered: what was asked and not answered.
        calls: how many questions were sent.
        in_vain: how many questions had no usable answer, twice.
        why: why whole documents are not asked for any more; empty where they never were.
    """

    staging: Staging
    first: Request
    contract: Contract[T]
    sheet: Sheet
    question: ClosedQuestion
    asked: Ask
    number: int
    answers: Mapping[str, str] = field(default_factory=dict)
    unanswered: tuple[str, ...] = ()
    calls: int = 1
    in_vain: int = 0
    is_again: bool = False
    why: str = ""

    def give_up(self, reason: str) -> GiveUp:
        """The end without a document."""
        return GiveUp(f"{self.why}; then, asked in stages, {reason}" if self.why else reason)


def begin(staging: Staging, first: Request, contract: Contract[T], why: str) -> Course[T]:
    """The course with its first question."""
    sheet = read_sheet(staging.sentence)
    number, question = first_question(sheet)
    ask = _ask(staging, first, question, why)
    return Course(staging, first, contract, sheet, question, ask, number, why=why)


def step(
    course: Course[T], answer: Answer
) -> tuple[Course[T], Attempt[T], Finished[T] | Ask | GiveUp]:
    """Read an answer: the course after it, the attempt that it was, and what comes next."""
    choices = _choices(course, answer)
    is_whole = choices.keys() == course.question.slots.keys()
    evaluation = _evaluation(course, choices, answer)
    asked = course.asked
    attempt: Attempt[T] = Attempt(asked.request, answer, evaluation, PURPOSE, asked.reason)
    if not is_whole and not course.is_again and course.calls < course.staging.most_calls:
        again = _again(course, answer)
        kept = {**course.answers, **choices}
        course = dataclasses.replace(
            course, asked=again, answers=kept, is_again=True, calls=course.calls + 1
        )
        return course, attempt, again
    left = tuple(key for key in course.question.slots if key not in {**course.answers, **choices})
    course = dataclasses.replace(
        course,
        answers={**course.answers, **choices},
        unanswered=(*course.unanswered, *left),
        in_vain=course.in_vain + (len(left) == len(course.question.slots)),
    )
    return _after(course, attempt)


def _after(
    course: Course[T], attempt: Attempt[T]
) -> tuple[Course[T], Attempt[T], Finished[T] | Ask | GiveUp]:
    if course.in_vain >= MOST_IN_VAIN and not course.answers:
        words = f"{course.in_vain} closed questions got no answer among their choices"
        return course, attempt, course.give_up(words)
    found = numbered(course.sheet, course.answers, course.number + 1)
    if course.calls < course.staging.most_calls and found is not None:
        number, question = found
        ask = _ask(course.staging, course.first, question, "")
        course = dataclasses.replace(
            course, number=number, question=question, asked=ask, is_again=False,
            calls=course.calls + 1,
        )  # fmt: skip
        return course, attempt, ask
    if not course.answers:
        words = "no closed question got an answer among its choices"
        return course, attempt, course.give_up(words)
    return _finished(course, attempt)


def _finished(
    course: Course[T], attempt: Attempt[T]
) -> tuple[Course[T], Attempt[T], Finished[T] | GiveUp]:
    """The best document that the answers allow; it is what the last attempt led to."""
    agent_type = course.staging.agent_type
    made, _ = settled(course.sheet, course.answers, agent_type, course.contract.evaluate)
    open_ones = [
        Diagnostic("STAGED", Severity.WARNING, f"not answered, so assumed: {key}")
        for key in course.unanswered
    ]
    report = dataclasses.replace(made.report, diagnostics=(*made.report.diagnostics, *open_ones))
    attempt = dataclasses.replace(attempt, evaluation=dataclasses.replace(made, report=report))
    if made.is_accepted:
        return course, attempt, Finished(attempt)
    return course, attempt, course.give_up("the document that the answers allow has errors")


def _ask(staging: Staging, first: Request, question: ClosedQuestion, why: str) -> Ask:
    rendered = staging.prompts.staged(staging.sentence, question.words)
    rendered = rendered.with_parts(first.messages[-1].pictures)
    request = dataclasses.replace(
        with_room(first, question.most_tokens),
        messages=rendered.messages,
        mode=staging.mode,
        schema=question.schema,
        schema_name="choices",
        grammar=None,  # that of a whole document is not that of a choice
        in_words="",
        templates=rendered.templates,
        purpose=PURPOSE,
        description=None,
    )
    return Ask(request, PURPOSE, f"{why}: {question.about}" if why else question.about)


def _again(course: Course[T], answer: Answer) -> Ask:
    """The same question once more: another sample, with more room where the answer was cut off."""
    request = another_sample(course.asked.request)
    if answer.finish == "length":
        whole = course.first.max_tokens or 0
        request = with_room(request, max(min(LONGER * course.question.most_tokens, whole), 64))
    return Ask(request, PURPOSE, f"{course.question.about}: not among the choices")


def _choices(course: Course[T], answer: Answer) -> dict[str, str]:
    kind = classify(answer, course.question.schema)
    return {} if kind in ("refusal", "empty") else course.question.read(answer.text)


def _evaluation(course: Course[T], choices: Mapping[str, str], answer: Answer) -> Evaluation[T]:
    """What an answer to one question is worth; its document is only known after the last."""
    if choices:
        said = "; ".join(f"{course.question.slots[key][0]}: {c}" for key, c in choices.items())
        found = Diagnostic("STAGED", Severity.INFO, said)
        return Evaluation("parsed", None, "", Report((found,)))
    kind = classify(answer, course.question.schema) or "unparsed"
    words = UNUSABLE.get(kind, "the answer is none of the choices")
    return Evaluation(kind, None, "", Report((Diagnostic("ANSWER", Severity.ERROR, words),)))
