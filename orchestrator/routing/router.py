"""LiteLLM's Router, mended where it loses sight of an attempt."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING, Any

from orchestrator.routing import _litellm
from orchestrator.routing.account import trace_of
from orchestrator.routing.translate import in_litellms_class

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orchestrator.routing.account import Trace

_GRACE_S = 0.5  # where LiteLLM keeps its own timeout, it is the first to say so


@functools.cache
def litellm_router() -> Any:
    """LiteLLM's Router, whose attempts all end in time and tell how they failed.

    Some providers open a stream only when the Router looks at it (gemini, for one). LiteLLM 1.106
    has let go of the call by then: its timeout is forgotten, and what is refused there reaches
    neither its failure callbacks nor its cooldowns, and leaves in the provider's own class, which
    no retry policy knows.
    """
    litellm = _litellm.load()

    class AccountedRouter(litellm.Router):  # type: ignore[misc, name-defined]  # known at run time only
        """LiteLLM's, in everything else."""

        async def make_call(self, original_function: Any, *args: Any, **kwargs: Any) -> Any:
            """One attempt: LiteLLM's retries and fallbacks all come through here."""
            call = super().make_call(original_function, *args, **kwargs)
            trace = trace_of(kwargs.get("metadata"))
            if trace is None:
                return await call
            before = trace.sent_count
            try:
                if not kwargs.get("stream"):
                    return await call
                async with _opened_in_time(trace, str(kwargs["model"])):
                    return await call
            except Exception as error:
                untold = trace.untold(before)
                if not untold:
                    raise
                provider = str(untold[0].get("custom_llm_provider") or "")
                raised = in_litellms_class(error, model=str(kwargs["model"]), provider=provider)
                for told in untold:
                    failed = {**told, "exception": raised}
                    trace.failed(failed)
                    self.deployment_callback_on_failure(failed, None, None, None)
                raise raised from None

        def _should_raise_content_policy_error(self, model: str, response: Any, kwargs: Any) -> Any:
            """Whether an answer is withheld for the sake of a fallback; it is paid for anyway."""
            is_withheld = super()._should_raise_content_policy_error(model, response, kwargs)
            if is_withheld and (trace := trace_of(kwargs.get("metadata"))) is not None:
                trace.answered(response)
            return is_withheld

    return AccountedRouter


@contextlib.asynccontextmanager
async def _opened_in_time(trace: Trace, model: str) -> AsyncIterator[None]:
    """Ends what is not open within the timeout that LiteLLM settled for it, as LiteLLM would."""
    loop, limit = asyncio.get_running_loop(), asyncio.timeout(None)

    def begin(seconds: Any) -> None:
        if isinstance(seconds, int | float):
            with contextlib.suppress(RuntimeError):  # it opened meanwhile
                limit.reschedule(loop.time() + seconds + _GRACE_S)

    # LiteLLM tells of some attempts from a thread.
    trace.when_sent = lambda seconds: loop.call_soon_threadsafe(begin, seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        words = "it did not begin to answer in time"
        raise _litellm.load().Timeout(message=words, model=model, llm_provider="") from None
    finally:
        trace.when_sent = None
