"""A run of the loop as a stream of events, while it happens.

Whoever iterates holds the run: leaving the iteration cancels it, closes the connection to the
provider and settles the ledger.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from orchestrator.types.events import (
    Answered,
    Asked,
    Delta,
    Done,
    Escalated,
    Evaluated,
    Finding,
    Partial,
    Repaired,
    Restart,
    Started,
)

if TYPE_CHECKING:
    from orchestrator.types.events import Event, Hook, StreamEvent
    from orchestrator.types.requests import Contract, Generation

P = ParamSpec("P")
T = TypeVar("T")

_CLOSING = frozenset('}],"\n')
_WHOLE = ("generate", "rewrite", "fresh", "escalate")


@dataclass
class Live:
    """Turns what a run tells into the events of its stream."""

    tell: Callable[[StreamEvent], None]
    attempt: int = 0
    purpose: str = ""
    text: str = ""
    route: str = ""
    contract: Contract[Any] | None = None
    _known: set[str] = field(default_factory=set)
    _looked: int = 0

    def listening(self, contract: Contract[Any], hook: Hook | None) -> Hook:
        """A hook that tells this stream, and `hook` too."""
        self.contract = contract

        def both(event: Event) -> None:
            self.noted(event)
            if hook is not None:
                hook(event)

        return both

    def noted(self, event: Event) -> None:
        """An event of the loop."""
        if isinstance(event, Asked):
            self._asked(event)
        elif isinstance(event, Answered):
            if event.round != self.attempt:  # samples are answered in any order
                self.attempt, self.text, self._looked = event.round, "", 0
            if not self.text:
                self.heard(event.answer.text)  # from the cache, in one piece
            self._look()
        elif isinstance(event, Evaluated) and event.evaluation is not None:
            report = event.evaluation.report
            for repair in report.repairs:
                self.tell(Repaired(event.round, repair))
            for diagnostic in report.diagnostics:
                self.tell(Finding(event.round, diagnostic))

    def _asked(self, event: Asked) -> None:
        first, self.attempt, self.purpose = not self.attempt, event.round, event.purpose
        self.text, self._looked = "", 0
        self._known.clear()
        if first:
            self.tell(Started(event.route))
        else:
            self.tell(Restart(event.round, event.purpose, event.reason))
            if event.route != self.route:
                self.tell(Escalated(event.round, event.route, event.reason))
        self.route = event.route

    def heard(self, text: str) -> None:
        """The next piece of an answer; closed parts are checked as soon as they are closed."""
        self.text += text
        self.tell(Delta(self.attempt, text))
        # Each look reads the whole again: as the text grows, looks grow rarer.
        if set(text) & _CLOSING and len(self.text) - self._looked > len(self.text) // 20:
            self._look()

    def _look(self) -> None:
        """Tell what is closed since the last look, and what is wrong with it."""
        if self.contract is None or self.purpose not in _WHOLE or self._looked == len(self.text):
            return
        self._looked = len(self.text)
        if (found := self.contract.read_partial(self.text)) is None:
            return
        if new := set(found.closed) - self._known:
            self._known |= new
            self.tell(Partial(self.attempt, found.value, found.closed))
            for finding in found.findings:
                if finding.pointer in new:
                    self.tell(Finding(self.attempt, finding))


_CURRENT: ContextVar[Live | None] = ContextVar("orchestrator_live", default=None)


def current() -> Live | None:
    """The stream that the run under way belongs to, None outside of one."""
    return _CURRENT.get()


def streamed(
    method: Callable[P, Coroutine[Any, Any, Generation[T]]],
) -> Callable[P, AsyncGenerator[StreamEvent, None]]:
    """The streaming twin of a method that runs the loop, with its arguments.

    It yields the events of `orchestrator.types.events.StreamEvent`, `Done` last, and raises what
    the method raises.
    """

    @functools.wraps(method)
    async def stream(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[StreamEvent, None]:
        queue: asyncio.Queue[StreamEvent | None] = asyncio.Queue()

        async def run() -> Generation[T]:
            _CURRENT.set(Live(queue.put_nowait))
            try:
                return await method(*args, **kwargs)
            finally:
                queue.put_nowait(None)

        task = asyncio.create_task(run())
        try:
            while (event := await queue.get()) is not None:
                yield event
            yield Done(await task)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])

    return stream
