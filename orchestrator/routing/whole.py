"""A whole answer from the parts of a stream, as far as it is worth waiting for."""

from __future__ import annotations

import asyncio
import contextlib
import time
import types
from typing import TYPE_CHECKING, Any

from orchestrator.parsing.endings import LONGEST_TAIL, is_looping
from orchestrator.routing import _litellm
from orchestrator.types.requests import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.routing.attempts import Trace
    from orchestrator.types.requests import WireAttempt

_LOOKED_AT_EVERY = 300  # characters
#: Kept of the time that is left, to judge what came until then.
_RESERVE_S, _RESERVE_SHARE = 2.0, 0.1


async def assembled(stream: Any, on_text: Callable[[str], None], trace: Trace) -> Any:
    """A response in one piece from a stream; `on_text` is called with every piece of its text.

    A stream that says the same over and over is closed: what it would go on with is paid for. So
    is one that has begun when `trace.until` comes: what it said is there to be judged. Both count
    as cut off, and `trace.stopped` says so.
    """
    is_slow = trace.latest is not None and trace.latest.pace is not None
    text: list[str] = []
    refusal: list[str] = []
    finish = tail = ""
    unread = looked_at = 0
    try:
        async with asyncio.timeout(None) as limit, contextlib.aclosing(stream) as parts:
            async for chunk in parts:
                for choice in chunk.choices[:1]:
                    if part := said(choice.delta):
                        text.append(part)
                        on_text(part)
                        unread += len(part)
                        _end_by(limit, trace.until)
                    refusal.append(str(getattr(choice.delta, "refusal", None) or ""))
                    finish = choice.finish_reason or finish
                if unread > _LOOKED_AT_EVERY:
                    unread = 0
                    tail, looked_at = "".join([tail, *text[looked_at:]])[-LONGEST_TAIL:], len(text)
                    if is_looping(tail, is_cut_off=is_slow):
                        trace.stopped = "loop"
                        break
    except TimeoutError:
        if not limit.expired():
            raise
        trace.stopped = "deadline"
    return _response("".join(text), "".join(refusal), "length" if trace.stopped else finish)


def _end_by(limit: asyncio.Timeout, until: float | None) -> None:
    """Let a block that has no end yet stop a little before `until` (`time.monotonic`)."""
    if until is not None and limit.when() is None:
        left = until - time.monotonic()
        left -= min(_RESERVE_S, left * _RESERVE_SHARE)
        limit.reschedule(asyncio.get_running_loop().time() + left)


def _response(text: str, refusal: str, finish: str) -> Any:
    message = types.SimpleNamespace(content=text, refusal=refusal, tool_calls=None)
    choice = types.SimpleNamespace(message=message, finish_reason=finish)
    return types.SimpleNamespace(choices=[choice])


def said_nothing(trace: Trace) -> bool:
    """Whether the stream of a server of the user's own ended before it said anything."""
    last = trace.latest
    return last is not None and last.deployment in trace.own and (last.is_broken or last.is_blank)


async def whole_answer(stream: Any, trace: Trace) -> Any:
    """LiteLLM's own response from the stream of one attempt, for its Router."""
    made = await assembled(stream, lambda _: None, trace)
    choice, litellm = made.choices[0], _litellm.load()
    message = {"role": "assistant", "content": choice.message.content}
    # What it took is known from the stream: no tokenizer has to count it.
    response = litellm.ModelResponse(
        model=stream.model,
        choices=[{"message": message, "finish_reason": choice.finish_reason or "stop"}],
    )
    response.choices[0].message.refusal = choice.message.refusal or None
    response._hidden_params = {**(getattr(stream, "_hidden_params", None) or {})}
    return response


def said(message: Any) -> str:
    """The text of a message or of a part of one, else the argument of the tool that it calls."""
    called = getattr(message, "tool_calls", None)
    return str((called[0].function.arguments if called else message.content) or "")


def said_in(parts: Sequence[Any]) -> str:
    """The text in the parts of a stream, as far as they came."""
    choices = [choice for part in parts for choice in (getattr(part, "choices", None) or ())[:1]]
    return "".join(said(choice.delta) for choice in choices if getattr(choice, "delta", None))


def ended(choice: Any) -> str:
    """Why a choice ended; some servers say ``stop`` of one that calls a tool."""
    finish = str(choice.finish_reason or "")
    is_call = finish in ("", "stop") and getattr(choice.message, "tool_calls", None)
    return "tool_calls" if is_call else finish


def answer_of(response: Any, wire: tuple[WireAttempt, ...], seconds: float) -> Answer:
    """The answer in a response of LiteLLM's, with the attempts that led to it."""
    choice, last = response.choices[0], wire[-1]
    return Answer(
        text=said(choice.message),
        finish=ended(choice),
        refusal=str(getattr(choice.message, "refusal", None) or ""),
        model=last.model,
        provider=last.provider,
        deployment=last.deployment,
        usage=last.usage,
        cost_usd=last.cost_usd,
        billed_usd=last.cost_usd,
        seconds=seconds,
        wire=wire,
    )


def partial_of(trace: Trace, attempts: Sequence[WireAttempt], seconds: float) -> Answer | None:
    """What the last attempt had written when it failed; None for nothing."""
    text = trace.latest.partial if trace.latest is not None else ""
    if not (text and attempts):
        return None
    last = attempts[-1]
    return Answer(
        text, "length", model=last.model, provider=last.provider, deployment=last.deployment,
        usage=last.usage, cost_usd=last.cost_usd, billed_usd=last.cost_usd, seconds=seconds,
        wire=tuple(attempts), stopped="failure",
    )  # fmt: skip
