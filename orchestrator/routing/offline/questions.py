"""What a short answer to a question of the embedded provider adds to the sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestrator.gmn.request.names import roots_of
from orchestrator.gmn.request.tokens import words

if TYPE_CHECKING:
    from collections.abc import Callable

_BACK = words("avoid avoids never not hates hate fears dislikes afraid trap without")
_NOTHING = words("nothing none no -")


def with_answer(sentence: str, question: str, answer: str) -> str:
    """The sentence in which a question is answered.

    A short answer becomes a clause (``nothing`` of `alarm`: "alarm does nothing"); what was not
    understood is replaced by the answer; every other answer is a sentence of its own.
    """
    answer = " ".join(answer.split()).strip(" .")
    for form, said in _FORMS:
        if match := form.search(question):
            return said(sentence, match[match.lastindex or 0], answer)
    return _added(sentence, answer)


def _added(sentence: str, clause: str) -> str:
    return f"{sentence.rstrip(' .;')}. {clause[:1].upper()}{clause[1:]}."


def _does(sentence: str, action: str, answer: str) -> str:
    action = action.replace("_", " ")
    if answer.casefold() in _NOTHING:
        return _added(sentence, f"{action} does nothing")
    if roots_of(action) & roots_of(answer):
        return _added(sentence, answer)
    answer = answer.removeprefix("it ")
    verb = "leads to " if len(answer.split()) < 2 else ""
    return _added(sentence, f"{action} {verb}{answer}")


def _shows(sentence: str, action: str, answer: str) -> str:
    is_said = words("right wrong accurate reliable noise") & set(answer.casefold().split())
    return _added(sentence, answer if is_said else f"{action} is right {answer}")


def _listed(head: str) -> Callable[[str, str, str], str]:
    def said(sentence: str, _: str, answer: str) -> str:
        return _added(sentence, answer if ":" in answer else f"{head}: {answer}")

    return said


def _role(sentence: str, said: str, answer: str) -> str:
    return _added(sentence, f"{answer}: {said}" if " " not in answer else answer)


def _wanted(sentence: str, _: str, answer: str) -> str:
    return _added(sentence, answer if " " in answer else f"goal: {answer}")


def _meant(sentence: str, said: str, answer: str) -> str:
    verb = "avoids" if _BACK & set(said.casefold().split()) else "wants"
    return _instead(sentence, said, f"{verb} {answer}" if " " not in answer else answer)


def _instead(sentence: str, said: str, answer: str) -> str:
    return sentence.replace(said, answer, 1) if said in sentence else _added(sentence, answer)


def _often(sentence: str, said: str, answer: str) -> str:
    if ":" in answer:
        return _added(sentence, answer)
    return _instead(sentence, said, f"{said} {answer}" if said not in answer else answer)


def _seen(sentence: str, state: str, answer: str) -> str:
    is_whole = roots_of(state) & roots_of(answer)
    return _added(sentence, answer if is_whole else f"{state} looks {answer}")


_QUOTED = r"(?:'([^']*)'|\"([^\"]*)\")"
_FORMS: tuple[tuple[re.Pattern[str], Callable[[str, str, str], str]], ...] = (
    (re.compile(r"^what does `([^`]+)` (?:do|lead)"), _does),
    (re.compile(r"^what does `([^`]+)` show"), _shows),
    (re.compile(r"^which states can there be"), _listed("states")),
    (re.compile(r"^what can the agent do"), _listed("actions")),
    (re.compile(r"^what does the agent want"), _wanted),
    (re.compile(rf"is meant by {_QUOTED}"), _meant),
    (re.compile(r"^what are (.+): actions, observations"), _role),
    (re.compile(r"is seen at ([^,]{1,48}), and"), _seen),
    (re.compile(rf"^where does it start.* is {_QUOTED}"), _instead),
    (re.compile(rf"^what does {_QUOTED} mean"), _instead),
    (re.compile(rf"^with which probability does this happen: {_QUOTED}"), _often),
    (re.compile(rf"^{_QUOTED} is not a cell"), _instead),
)
