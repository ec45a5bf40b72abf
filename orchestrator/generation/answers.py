"""What an answer is worth: judged by what it is, not by what was asked.

A patch is applied to the name-keyed form of the document. A whole document is a rewrite. An
answer that is neither, or could be two things, is a finding on the document as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import jsonpatch
from jsonpointer import JsonPointerException

from orchestrator.generation.findings import noted
from orchestrator.gmn.model import GMNSpec
from orchestrator.parsing.json_patch import (
    LEFT_OUT,
    apply_patch,
    filled,
    holds_left_out,
    root_names,
)
from orchestrator.parsing.json_pointer import pointer_to, steps_of
from orchestrator.parsing.json_reader import classify
from orchestrator.parsing.patch_reader import PatchReading, is_open, json_values, read_patch
from orchestrator.types.diagnostics import Diagnostic, Report, Severity
from orchestrator.types.requests import Evaluation

if TYPE_CHECKING:
    from orchestrator.types.requests import Answer, AnswerKind, Contract

T = TypeVar("T")

#: Why an answer is not evaluated, by its kind.
UNUSABLE: Mapping[str, str] = {
    "refusal": "the model declined",
    "schema_echo": "the model sent the schema back instead of a document",
    "empty": "the answer is empty",
    "truncated": "the answer was cut off by its length limit",
}
#: The code of a document of which its author says that something is still to be said.
UNFINISHED = "GMN611"
#: The code under which a report has what the author of a patch notes about it.
NOTES = "NOTES"
#: Finish reasons by which a provider says that the model came to its end.
WHOLE = ("stop", "tool_calls", "function_call")
_MOST_SAID = 500  # characters of a refusal that are shown
_MOST_ERRORS = 3  # of a document in place of a patch that are shown
_NOTHING: tuple[object, ...] = (None, "", [], {})
_NOT_APPLICABLE = (
    jsonpatch.JsonPatchException, JsonPointerException, TypeError, KeyError, AttributeError,
    ValueError, IndexError,
)  # fmt: skip


_TOO_LATE = Diagnostic("ANSWER", Severity.ERROR, "the deadline passed before it was judged")
#: What is known of an answer that is paid for and whose judging was stopped.
NOT_JUDGED: Evaluation[Any] = Evaluation("unparsed", None, "", Report((_TOO_LATE,)))


def patch_finding(code: str, message: str) -> Diagnostic:
    """A finding about a patch rather than about the document.

    ``PATCH1`` does not apply, ``PATCH2`` changes nothing, ``PATCH3`` is not a JSON Patch or more
    than one, ``PATCH4`` sets a mark in place of a value, ``PATCH5`` sets what is not kept.
    """
    return Diagnostic(code, Severity.ERROR, message)


_MARKED = patch_finding("PATCH4", f"{LEFT_OUT} stands for what stays, it is not a value")


def with_finding(evaluation: Evaluation[T], finding: Diagnostic) -> Evaluation[T]:
    """The same evaluation with one more finding."""
    report = replace(evaluation.report, diagnostics=(*evaluation.report.diagnostics, finding))
    return replace(evaluation, report=report)


def changed(new: Evaluation[T], old: Evaluation[T]) -> Evaluation[T]:
    """`new`, or, when it says what `old` says, the finding that nothing was changed.

    What the metadata of a GMN document hold is about the document and does not count.
    """
    said = "".join(f"; it says: {d.message}" for d in new.report.diagnostics if d.code == NOTES)
    if new.text == old.text:
        return with_finding(old, patch_finding("PATCH2", f"the answer changes nothing{said}"))
    if not isinstance(new.value, GMNSpec) or not isinstance(old.value, GMNSpec):
        return new
    if new.value.model_copy(update={"metadata": old.value.metadata}) != old.value:
        return new
    return with_finding(
        old, patch_finding("PATCH2", f"the answer changes nothing but metadata{said}")
    )


@dataclass(frozen=True, slots=True)
class PatchEvaluator(Generic[T]):
    """Evaluates answers to questions for a patch, by the means of a contract.

    Attributes:
        evaluate: evaluates a text.
        evaluate_view: evaluates a name-keyed form.
        view_of: the whole name-keyed form of an evaluation whose answer parsed.
        sections: the names that a document can have at its root.
        dropped: of a name-keyed form and its evaluation, the pointers of what was not kept.
    """

    evaluate: Callable[[str], Evaluation[T]]
    evaluate_view: Callable[[Any], Evaluation[T]]
    view_of: Callable[[Evaluation[T]], Any]
    sections: Collection[str]
    dropped: Callable[[Any, Evaluation[T]], Sequence[str]]

    def __call__(self, old: Evaluation[T], answer: str) -> Evaluation[T]:
        """What the answer makes of `old`; a failure is a finding of `old`, code PATCH and digit."""
        view = self.view_of(old)
        reading = read_patch(answer, self.sections)
        if reading.operations is None:
            return self._whole(old, view, answer, patch_finding("PATCH3", reading.problem))
        made = self._patched(old, view, reading)
        if reading.is_alone:
            return made
        whole = self._whole(old, view, answer, patch_finding("PATCH3", "not a whole document"))
        if not whole.is_accepted:
            return made
        if made.is_accepted and made.value != whole.value:
            words = "the answer holds a patch and a document that differ"
            return with_finding(old, patch_finding("PATCH3", words))
        return whole

    def _patched(self, old: Evaluation[T], view: Any, reading: PatchReading) -> Evaluation[T]:
        """`old` after the patch."""
        if reading.problem:
            return with_finding(old, patch_finding("PATCH3", reading.problem))
        try:
            made = apply_patch(view, reading.operations or [])
        except _NOT_APPLICABLE as error:
            return with_finding(old, patch_finding("PATCH1", f"the patch does not apply: {error}"))
        made = filled(made, view)
        if holds_left_out(made) and not holds_left_out(view):
            return with_finding(old, _MARKED)
        if _spelled(made) == _spelled(view):
            return with_finding(old, patch_finding("PATCH2", "the patch changes nothing"))
        new = self.evaluate_view(made)
        if lost := self.dropped(made, new):
            words = f"the patch sets {', '.join(lost)}, which the document does not have"
            return with_finding(old, patch_finding("PATCH5", words))
        read = [Diagnostic("PATCH0", Severity.INFO, note) for note in reading.notes]
        report = replace(new.report, repairs=(*read, *new.report.repairs))
        return changed(replace(new, report=report), old)

    def _whole(
        self, old: Evaluation[T], view: Any, answer: str, failure: Diagnostic
    ) -> Evaluation[T]:
        """The answer as a document in place of `old`, unless it is only a part of one."""
        whole = self._document(view, answer)
        made = self.view_of(whole) if whole.text else None
        if not isinstance(made, type(view)):
            return with_finding(old, failure)
        if holds_left_out(made) and not holds_left_out(view):
            return with_finding(old, _MARKED)
        if self._is_part(whole, made, old, view):
            first = "; ".join(str(error) for error in whole.report.errors[:_MOST_ERRORS])
            words = f"{failure.message}. As a whole document it lacks parts. {first}".strip()
            return with_finding(old, replace(failure, message=words))
        return changed(whole, old)

    def _document(self, view: Any, answer: str) -> Evaluation[T]:
        """The answer read as a document, in its own form or in the form that the question shows."""
        whole = self.evaluate(answer)
        stated = [one for one in json_values(answer)[0] if isinstance(one.value, Mapping)]
        if len(stated) != 1 or stated[0].clashing:
            return whole
        form = stated[0].value
        if whole.is_accepted and not holds_left_out(form):
            return whole
        shown = self.evaluate_view(filled(form, view))
        is_better = not whole.text or len(shown.report.errors) < len(whole.report.errors)
        if not shown.text or not (is_better or holds_left_out(form)):
            return whole
        for words in stated[0].fixes:
            shown = noted(shown, words)
        return shown

    def _is_part(self, whole: Evaluation[T], made: Any, old: Evaluation[T], view: Any) -> bool:
        """Whether a document lacks what `old` has: a part that is needed, or half of all parts."""
        if not isinstance(view, Mapping):
            return False
        wrong = {d.pointer for d in old.report.errors}
        has = [name for name in self.sections if view.get(name) not in _NOTHING]
        lost = [name for name in has if made.get(name) in _NOTHING]
        needed = {steps_of(d.missing)[0] for d in whole.report.errors if d.missing}
        unasked = [name for name in lost if pointer_to(name) not in wrong]
        return not needed.isdisjoint(lost) or len(unasked) * 2 >= len(has) > 0


def missing(evaluation: Evaluation[T]) -> tuple[int, int]:
    """How many of its parts a document lacks: sections at its root, and parts within them."""
    lacks = [steps_of(d.missing) for d in evaluation.report.diagnostics if d.missing]
    at_root = sum(len(steps) == 1 for steps in lacks)
    return at_root, len(lacks) - at_root


def evaluate_answer(
    contract: Contract[T],
    answer: Answer,
    document: Evaluation[T] | None = None,
    *,
    is_patch: bool = False,
) -> Evaluation[T]:
    """What an answer is worth, judged by what it is: a document, or a patch of `document`.

    With `is_patch` a patch was asked for, so that an answer that is neither is a failed patch.
    """
    kind = classify(answer, contract.schema)
    if kind is not None and (kind != "truncated" or not answer.text.strip()):
        return _unusable(kind, answer.said if kind == "refusal" else "")
    if is_patch and document is not None:
        evaluation = contract.apply_patch(document, answer.text)
    else:
        evaluation = _as_document(contract, answer.text, document)
    return _unusable("truncated") if _is_cut_off(contract, answer, evaluation) else evaluation


def _as_document(contract: Contract[T], text: str, document: Evaluation[T] | None) -> Evaluation[T]:
    """The answer to a question for a document, which can still be a patch of the one shown."""
    evaluation = contract.evaluate(text)
    if evaluation.is_accepted:
        return evaluation
    if not (patch := read_patch(text, root_names(contract.schema))).operations:
        return evaluation
    if document is not None:
        return contract.apply_patch(document, text)
    if not patch.is_alone:
        return evaluation
    words = "the answer is a JSON Patch, and there is no document yet that it could change"
    return Evaluation("unparsed", None, "", Report((Diagnostic("ANSWER", Severity.ERROR, words),)))


def _is_cut_off(contract: Contract[T], answer: Answer, evaluation: Evaluation[T]) -> bool:
    """Whether an answer lacks its end: its text is judged before its finish reason.

    Some servers say of every call of a tool that it is whole, also of one cut off at its limit.
    """
    is_call = answer.finish in WHOLE[1:] and answer.text.lstrip()[:1] == "{"
    if contract.accepts_cut_off or (answer.finish in WHOLE and not is_call):
        return False
    may_be_cut = evaluation.may_be_cut or is_open(answer.text)
    return may_be_cut or (answer.finish == "length" and not evaluation.is_accepted)


def _unusable(kind: AnswerKind, said: str = "") -> Evaluation[T]:
    words = UNUSABLE[kind] + (f": {said.strip()[:_MOST_SAID]!r}" if said.strip() else "")
    found = Diagnostic("ANSWER", Severity.ERROR, words)
    return Evaluation(kind, None, "", Report((found,)))


def _spelled(value: Any) -> str:
    """JSON in one spelling, in which true is not 1."""
    return json.dumps(value, sort_keys=True, default=str)
