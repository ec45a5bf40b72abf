"""Answers of a row that was broken off: they are kept, and given where they are asked again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from orchestrator.cache.keys import digest
from orchestrator.types.requests import Answer, Usage
from orchestrator.types.visible import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.types.requests import Attempt, Completer, Request
    from orchestrator.types.run_context import RunContext

    First = Callable[[Request, RunContext], Awaitable[Answer | None]]

_KEPT = ("text", "finish", "refusal", "model", "provider", "deployment", "usage", "cost_usd",
         "context_tokens")  # fmt: skip


class FirstAnswers:
    """A completer in front of another: a row's bill may answer a question, or keep it."""

    def __init__(self, inner: Completer) -> None:
        self.inner = inner

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """The bill's answer, else that of the completer behind it."""
        bill = context.cost.bill
        first = None if bill is None else bill.first
        answer = None if first is None else await first(request, context)
        return answer or await self.inner.complete(request, context)


def put_in_front(orchestrator: Orchestrator) -> None:
    """Let bills answer, from now on."""
    completer = orchestrator._completer
    if not isinstance(completer.inner, FirstAnswers):
        completer.inner = FirstAnswers(completer.inner)


def question_id(asked: Request) -> str:
    """What is asked, however it is worded for a mode: a deployment may lose one meanwhile."""
    said = asked.description or [turn.as_dict() for turn in asked.messages]
    return digest([asked.purpose, asked.sample, to_jsonable_python(said)])[:16]


def paid_answers(attempts: Sequence[Attempt[Any]]) -> str:
    """The answers of attempts as JSON, each by its question; empty where there is none."""
    found = {}
    for one in attempts:
        answer = asdict(one.answer)
        found[question_id(one.request)] = {name: answer[name] for name in _KEPT}
    return json_text(found) if found else ""


def given_again(paid: str, otherwise: First | None) -> First:
    """Gives each of `paid_answers` once where its question is asked, else what `otherwise` does."""
    left = json.loads(paid)

    async def give(asked: Request, context: RunContext) -> Answer | None:
        if (kept := left.pop(question_id(asked), None)) is None:
            return None if otherwise is None else await otherwise(asked, context)
        answer = Answer(**{**kept, "usage": Usage(**kept["usage"])}, billed_usd=0.0, cached=True)
        context.cost.add_cached(answer.usage, answer.cost_usd)
        return answer

    return give
