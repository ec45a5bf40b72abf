"""Puts the questions of a refused request to the terminal, for `generate --ask`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orchestrator.cli.output import UsageError, echo_stderr
from orchestrator.routing.offline.answer import questions_of
from orchestrator.routing.offline.questions import with_answer

if TYPE_CHECKING:
    from orchestrator.types.errors import InvalidOutputError


def require_terminal() -> None:
    """Raises: UsageError: nobody can answer on stdin."""
    if sys.stdin is None or not sys.stdin.isatty():
        words = "--ask puts questions to a terminal, and stdin is none"
        raise UsageError(
            f"{words}. Leave it out to see the questions, and say more in the sentence."
        )


def answered(sentence: str, error: InvalidOutputError) -> str:
    """The sentence with the answers to the questions of the best document.

    Raises: InvalidOutputError: `error`, where there are no questions or none is answered.
    """
    spec = error.best.evaluation.value if error.best is not None else None
    questions = questions_of(spec) if spec is not None else ()
    made = sentence
    for number, question in enumerate(questions, 1):
        echo_stderr(f"[{number} of {len(questions)}] {question} ", end="")
        answer = sys.stdin.readline()
        if not answer:
            break
        made = with_answer(made, question, answer) if answer.strip() else made
    if made == sentence:
        raise error
    return made
