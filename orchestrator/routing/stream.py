"""A stream of LiteLLM's that is bounded by a deadline, recorded, and closed however it ends."""

from __future__ import annotations

import asyncio
import functools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.routing import _litellm
from orchestrator.routing.attempts import Trace
from orchestrator.routing.counts import usage_of
from orchestrator.routing.host import Totals, says_something
from orchestrator.types.blocking import blocking

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from orchestrator.types.run_context import RequestCost

#: Hidden parameters of an answer from the cache.
FREE = {"cache_hit": True, "response_cost": 0.0}
#: The finish reasons of answers that are kept.
_WHOLE = frozenset({"stop", "tool_calls", "function_call"})
#: Fields of a message that hold an answer; what a model thought before it is none.
_SAID = ("content", "tool_calls", "function_call", "audio", "images")


def tracked(
    inner: Any,
    trace: Trace,
    *,
    until: float,
    wants_usage: bool,
    done: Callable[[], Awaitable[None]],
    translate: Callable[[Exception], Exception] | None = None,
) -> Any:
    """`inner` as a stream of LiteLLM's own class.

    It ends by `until` (`time.monotonic`) with TimeoutError; errors go through `translate`; the part
    that only holds usage is kept back unless the caller asked for it; `done` is awaited once, when
    it ends, fails, is cancelled or closed.
    """
    return _class()(inner, _StreamState(inner, trace, until, wants_usage, done, translate))


@dataclass(slots=True)
class _StreamState:
    """State of a wrapped stream."""

    inner: Any
    trace: Trace | None
    until: float | None
    wants_usage: bool
    done: Callable[[], Awaitable[None]]
    translate: Callable[[Exception], Exception] | None
    last: Any = None
    is_over: bool = False
    outcome: str = ""
    listeners: list[Callable[[str], None]] = field(default_factory=list)
    part_listeners: list[Callable[[Any], None]] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    async def next(self) -> Any:
        """The next part that the caller is to see."""
        while True:
            chunk = await self._next_of_all()
            if getattr(chunk, "usage", None) is not None:
                self.last = chunk
                if not self.wants_usage and not says_something(chunk, or_ends=True):
                    continue
            for listener in self.part_listeners:
                listener(chunk)
            return chunk

    async def next_or_end(self) -> tuple[bool, Any]:
        """Whether there is another part, and the part: a thread cannot be given the end itself."""
        try:
            return True, await self.next()
        except StopAsyncIteration:
            return False, None

    async def _next_of_all(self) -> Any:
        try:
            left = None if self.until is None else max(self.until - time.monotonic(), 0.0)
            async with asyncio.timeout(left):
                return await self.inner.__anext__()
        except StopAsyncIteration:
            await self.end("answered")
            raise
        except asyncio.CancelledError:
            await self.end("cancelled")
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, it is translated
            met, failure = error, error if self.translate is None else self.translate(error)
        await self.end(type(failure).__name__, met)
        raise failure

    async def end(self, outcome: str, error: Exception | None = None) -> None:
        """Note how it ended, close the connection, and release what the call holds; once."""
        if self.is_over:
            return
        self.is_over, self.outcome = True, outcome
        if self.trace is not None and outcome == "answered":
            self.trace.answered(Totals(self.last, self.inner))
        elif self.trace is not None:
            self.trace.hear(getattr(self.inner, "chunks", None) or ())
            self.trace.close(error)
        try:
            if hasattr(self.inner, "aclose"):
                await self.inner.aclose()
        finally:
            await self.done()
            for listener in self.listeners:
                listener(outcome)

    def abandon(self) -> None:
        """End a stream that was dropped before its end; may be called from any thread."""
        if not self.is_over and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(lambda: self.loop.create_task(self.end("cancelled")))


class _BlockingParts:
    """Iteration for a caller without an event loop of its own."""

    _stream_state: _StreamState

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        found, chunk = blocking(self._stream_state.next_or_end)()
        if not found:
            raise StopIteration
        return chunk


@functools.cache
def _class() -> Any:
    base = _litellm.load().CustomStreamWrapper

    class AccountedStream(_BlockingParts, base):  # type: ignore[misc, valid-type]  # known at run time only
        """A stream of LiteLLM's, to look at and to iterate."""

        def __init__(self, inner: Any, state: _StreamState) -> None:
            # The base's own __init__ would begin a second stream; all it knows is in `inner`.
            self._inner = inner
            self._stream_state = state

        def __getattr__(self, name: str) -> Any:
            return getattr(self.__dict__["_inner"], name)

        @property
        def _hidden_params(self) -> Any:
            return getattr(self._inner, "_hidden_params", {})

        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> Any:
            return await self._stream_state.next()

        async def aclose(self) -> None:
            """Close the connection to the provider."""
            await self._stream_state.end("cancelled")

        def __del__(self) -> None:
            self._stream_state.abandon()

        def on_part(self, listener: Callable[[Any], None]) -> None:
            """Call `listener` with every part before the caller has it."""
            self._stream_state.part_listeners.append(listener)

        def when_over(self, listener: Callable[[str], None]) -> None:
            """Call `listener` with the outcome at the end."""
            self._stream_state.listeners.append(listener)

    return AccountedStream


def recorded(stream: Any, keep: Callable[[list[dict[str, Any]], float | None], None]) -> Any:
    """The stream; `keep` gets the JSON forms of its parts once it came to a good end."""
    state: _StreamState | None = getattr(stream, "__dict__", {}).get("_stream_state")
    if state is None:  # whole at once, although a stream was asked for
        return stream
    parts: list[dict[str, Any]] = []
    state.part_listeners.append(lambda chunk: parts.append(chunk.model_dump(mode="json")))

    settle = state.done

    async def done() -> None:
        await settle()
        choices = [choice for part in parts for choice in part.get("choices") or []]
        deltas = [choice.get("delta") or {} for choice in choices]
        is_refused = any(delta.get("refusal") for delta in deltas)
        ends = {choice.get("finish_reason") for choice in choices} - {None}
        is_whole = bool(ends) and ends <= _WHOLE and any(map(_is_said, deltas))
        if state.outcome == "answered" and is_whole and not is_refused:
            ended = state.trace.ended if state.trace is not None else []
            await asyncio.to_thread(keep, parts, ended[-1].cost_usd if ended else None)

    state.done = done
    return stream


def is_whole(choice: Any) -> bool:
    """Whether a choice is an answer to the end: not cut off, not declined, not empty."""
    message = choice.message
    is_ended = choice.finish_reason in _WHOLE and not getattr(message, "refusal", None)
    return is_ended and _is_said(message.model_dump())


def _is_said(message: Mapping[str, Any]) -> bool:
    return any(message.get(name) for name in _SAID)


def replayed(
    parts: Sequence[Mapping[str, Any]],
    cost: float | None,
    cost_so_far: RequestCost,
    hidden: Mapping[str, Any],
) -> Any:
    """A stream from what was kept of one; it costs nothing this time."""
    litellm = _litellm.load()
    chunks = [litellm.types.utils.ModelResponseStream(**part) for part in parts]
    last = next((c for c in reversed(chunks) if getattr(c, "usage", None)), None)
    cost_so_far.add_cached(usage_of(last), cost)
    kept = _Kept(chunks, hidden)
    return _class()(
        kept, _StreamState(kept, None, None, wants_usage=True, done=_nothing, translate=None)
    )


class _Kept:
    """Parts that are there already, one after the other."""

    def __init__(self, chunks: Sequence[Any], hidden: Mapping[str, Any]) -> None:
        self._left = iter(chunks)
        self._hidden_params = {**hidden, **FREE}

    async def __anext__(self) -> Any:
        for chunk in self._left:
            return chunk
        raise StopAsyncIteration


async def _nothing() -> None:
    """There is nothing to release."""
