"""A run of the loop as a stream of events, while it happens.

Leaving the iteration cancels the run, closes the connection to the provider and settles the
ledger.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from orchestrator.types.events import Answered, Asked, Delta, Done, Partial

if TYPE_CHECKING:
    from orchestrator.types.events import Event, Hook
    from orchestrator.types.requests import Contract, Generation

P = ParamSpec("P")
T = TypeVar("T")

MOST_READ = 32_768  # characters of an answer that are read as it comes, on the event loop
_CLOSING = frozenset('}],"\n')
_WHOLE = ("generate", "rewrite", "fresh", "escalate")


@dataclass
class StreamHook:
    """A hook that adds to the events of a run what each answer holds while it comes.

    Attributes:
        send: called with every event of the stream.
        hook: called with the same events.
        contract: reads an answer that is not whole yet; None until the run begins.
    """

    send: Callable[[Event], None]
    hook: Hook | None = None
    contract: Contract[Any] | None = None
    _attempt: int = 0
    _purpose: str = ""
    _text: str = ""
    _known: set[str] = field(default_factory=set)
    _length_read: int = 0
    _start: int = 0

    def __call__(self, event: Event) -> None:
        """Pass an event of the loop on."""
        if isinstance(event, Asked):
            self._begin(event.attempt)
            self._purpose = event.purpose
            self._known.clear()
        elif isinstance(event, Answered):
            if event.attempt != self._attempt:  # samples are answered in any order
                self._begin(event.attempt)
            if not self._text:
                self.on_text(event.answer.text)  # from the cache, in one piece
            self._read()
        self._emit(event)

    def on_text(self, text: str) -> None:
        """The next piece of an answer; closed parts are checked as soon as they are closed."""
        self._text += text
        self._emit(Delta(self._attempt, text))
        # Each reading takes the whole text: as the text grows, readings grow rarer.
        if set(text) & _CLOSING and len(self._text) - self._length_read > len(self._text) // 20:
            self._read()

    def _begin(self, attempt: int) -> None:
        self._attempt, self._text, self._length_read = attempt, "", 0

    def _read(self) -> None:
        """Emit what is closed since the last reading, and what is wrong with it.

        An answer that grows long is judged at its end only.
        """
        length = len(self._text)
        is_read = self._length_read == length or length > MOST_READ
        if self.contract is None or self._purpose not in _WHOLE or is_read:
            return
        self._length_read = length
        if (found := self.contract.read_partial(self._text)) is None:
            return
        if found.start != self._start:  # what came before was a draft
            self._known.clear()
            self._start = found.start
        if new := set(found.closed) - self._known:
            self._known |= new
            closed = tuple(finding for finding in found.findings if finding.pointer in new)
            self._emit(Partial(self._attempt, found.value, found.closed, closed))

    def _emit(self, event: Event) -> None:
        self.send(event)
        if self.hook is not None:
            self.hook(event)


async def following(
    work: Callable[[Callable[[T], None]], Coroutine[Any, Any, T]],
) -> AsyncGenerator[T, None]:
    """What `work` sends while it runs, then what it returns; leaving the iteration cancels it."""
    queue: asyncio.Queue[T | None] = asyncio.Queue()

    async def run() -> T:
        try:
            return await work(queue.put_nowait)
        finally:
            queue.put_nowait(None)

    task = asyncio.create_task(run())
    try:
        while (event := await queue.get()) is not None:
            yield event
        yield await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


def streamed(
    method: Callable[P, Coroutine[Any, Any, Generation[T]]],
) -> Callable[P, AsyncGenerator[Event, None]]:
    """The streaming twin of a ``generate_…`` method that runs the loop: ``stream_…``."""

    @functools.wraps(method)
    async def stream(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Event, None]:
        hook = kwargs.get("hook")
        if not (hook is None or callable(hook)):
            raise TypeError(f"hook must be a function or None, not {type(hook).__name__}")

        async def work(send: Callable[[Event], None]) -> Event:
            kwargs["hook"] = StreamHook(send, hook)
            return Done(await method(*args, **kwargs))

        events = following(work)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    signature = inspect.signature(method)
    yields = signature.replace(return_annotation="AsyncGenerator[Event, None]")
    stream.__signature__ = yields  # type: ignore[attr-defined]  # what `help` shows
    stream.__name__ = method.__name__.replace("generate", "stream")
    stream.__qualname__ = method.__qualname__.replace("generate", "stream")
    stream.__doc__ = f"""The events of `{method.__name__}` while it runs.

        Takes its arguments, raises what it raises, and yields the events of
        `orchestrator.types.events`; the last is `Done`, whose `result` is the `Generation`.
        Leaving the iteration cancels the run.
        """
    return stream
