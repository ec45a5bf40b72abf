"""A completer that follows a script and fails on every unplanned request."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from orchestrator.types.requests import Answer, Request, Usage
from orchestrator.types.run_context import RunContext

PACKAGE = str(Path(__file__).parents[2] / "orchestrator")

Planned = Answer | Exception | Callable[[Request], str]


class Scripted:
    """Returns the planned answers in order; records the requests and the depth of the stack."""

    def __init__(self, *planned: str | Planned) -> None:
        self._planned = [said(p) if isinstance(p, str) else p for p in planned]
        self.asked: list[Request] = []
        self.depth = 0

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """The next planned answer.

        Raises: AssertionError: no planned answer is left.
        """
        self.asked.append(request)
        self.depth = max(self.depth, package_frames())
        if not self._planned:
            raise AssertionError(f"unplanned question {len(self.asked)}: {request.purpose}")
        answer = self._planned.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Answer) else said(answer(request))


def said(text: str, *, finish: str = "stop", refusal: str = "", usd: float | None = 0.01) -> Answer:
    """An answer with the given text and fixed tokens and cost."""
    usage = Usage(100, 50)
    return Answer(text, finish, refusal, usage=usage, cost_usd=usd, billed_usd=usd)


def package_frames() -> int:
    """Number of frames of the package on the current stack."""
    frame: FrameType | None = sys._getframe()
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename.startswith(PACKAGE)
        frame = frame.f_back
    return count
