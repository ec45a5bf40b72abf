"""The cache in front of the Router: content-addressed, one call per question.

`CachingCompleter` is a completer in front of another. Its key covers everything that shapes an
answer, and identical questions asked at the same time share one call.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.cache.keys import LAYOUT, as_kept, differences, key_of, question_of, similarity
from orchestrator.cache.single_flight import Flights
from orchestrator.types.errors import CacheMissError
from orchestrator.types.requests import Answer, Request, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from orchestrator.cache.gate import Gate
    from orchestrator.types.requests import CacheMode, CachePolicy, Completer
    from orchestrator.types.run_context import RunContext

_MOST_DIFFERENCES = 12
_MOST_COMPARED = 300  # the latest; comparing takes a millisecond each


class AnswerStore(Protocol):
    """Where answers are kept: on disk, in Redis, or in the files of a cassette.

    Attributes:
        is_remote: whether `get` waits for a network, which no event loop should.
    """

    is_remote: bool

    def get(self, key: str) -> Any:
        """The value under a key, None when there is none."""
        ...

    def put(
        self,
        key: str,
        value: object,
        *,
        question: Mapping[str, object],
        max_age_s: float = 0.0,
        tag: str = "",
    ) -> None:
        """Keep a value, and what was asked."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Forget values."""
        ...

    def questions(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Everything that was asked, by key."""
        ...


def is_complete(answer: Answer) -> bool:
    """Whether an answer is worth keeping: it ended by itself and says something."""
    return answer.finish in ("stop", "tool_calls") and bool(answer.text) and not answer.refusal


class CachingCompleter:
    """A completer that answers from the store first, and asks each question once at a time."""

    def __init__(
        self,
        inner: Completer,
        store: AnswerStore,
        *,
        fingerprint: Callable[[str], str],
        max_age_s: float = 0.0,
        gate: Gate | None = None,
    ) -> None:
        """`gate` keeps other processes from asking the same at the same time."""
        self._inner = inner
        self._store = store
        self._fingerprint = fingerprint
        self._max_age_s = max_age_s
        self._flights = Flights(gate)

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """Answer from the store, from a call already under way, or by asking."""
        if request.cache == "off":
            return await self._inner.complete(request, context)
        question = question_of(request, fingerprint=self._fingerprint(request.route))
        key = key_of(question)
        if request.cache != "refresh" and (found := await self._found(key, request)):
            return as_served(found, context)
        if request.cache == "replay":
            raise await asyncio.to_thread(missing, self._store, question)
        landed = await self._flights.once(
            key, request.cache, request.keep,
            found=lambda: self._found(key, request),
            ask=lambda: self._ask(key, request, question, context),
        )  # fmt: skip
        is_bought = landed.is_mine and landed.is_new
        return landed.value if is_bought else as_served(landed.value.from_cache(), context)

    async def withdraw(self, requests: Iterable[Request]) -> None:
        """Forget the answers to `requests`: the run they belong to ended without a valid result."""
        keys = [
            key_of(question_of(request, fingerprint=self._fingerprint(request.route)))
            for request in requests
            if request.cache in ("use", "refresh")
        ]
        await asyncio.to_thread(self._store.delete, keys)

    async def _found(self, key: str, request: Request) -> Answer | None:
        return hit(await read(self._store, key), request.cache, request.keep)

    async def _ask(
        self, key: str, request: Request, question: Mapping[str, object], context: RunContext
    ) -> Answer:
        answer = await self._inner.complete(request, context)
        if is_complete(answer):
            age = request.keep.ttl_s or self._max_age_s
            await asyncio.to_thread(
                self._store.put, key, as_stored(answer, request.cache),
                question=question, max_age_s=age, tag=request.keep.tag,
            )  # fmt: skip
        return answer


async def read(store: AnswerStore, key: str) -> Any:
    """What is kept under a key, read where it disturbs nobody."""
    if store.is_remote:
        return await asyncio.to_thread(store.get, key)
    return store.get(key)  # 5 µs here; a hop to a thread would cost 70


def missing(store: AnswerStore, question: Mapping[str, object]) -> CacheMissError:
    """The error that says what was asked and how the nearest kept question differs."""
    asked = as_kept(question)
    kept = list(store.questions())[-_MOST_COMPARED:]
    lines = [f"nothing is kept for this question (key {key_of(question)[:12]})"]
    if kept:
        key, nearest = max(kept, key=lambda one: similarity(asked, one[1]))
        lines.append(f"the nearest is {key[:12]}; what is asked is what is kept there:")
        lines += [f"  {line}" for line in list(differences(asked, nearest))[:_MOST_DIFFERENCES]]
    else:
        lines.append("nothing at all is kept there; record first")
    return CacheMissError("\n".join(lines))


def as_served(answer: Answer, context: RunContext) -> Answer:
    """An answer from the store, counted as one that nothing is paid for."""
    context.cost.add_cached(answer.usage, answer.cost_usd)
    return answer


def dated(mode: CacheMode, *parts: object) -> list[object]:
    """What is kept, with its layout and its moment; `parts_of` reads it.

    The moment is seconds since 1970; 0 in a recording, which has no age.
    """
    return [LAYOUT, 0.0 if mode == "record" else time.time(), *parts]


def parts_of(stored: object, count: int, mode: CacheMode, keep: CachePolicy) -> list[Any] | None:
    """The `count` parts of what `dated` made; None for anything else, or for one too old."""
    if not isinstance(stored, list) or len(stored) != count + 2 or stored[0] != LAYOUT:
        return None
    if mode == "use" and 0 < keep.oldest_s < time.time() - stored[1]:
        return None
    return stored[2:]


def as_stored(answer: Answer, mode: CacheMode) -> list[object]:
    """An answer as it is kept; `hit` reads it."""
    usage = answer.usage
    return dated(
        mode,
        answer.text,
        answer.finish,
        answer.model,
        answer.provider,
        answer.deployment,
        [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens],
        answer.cost_usd,
    )


def hit(stored: object, mode: CacheMode, keep: CachePolicy) -> Answer | None:
    """The answer that `as_stored` made a value of; None for anything else, or one too old."""
    # Built in one go: this is the whole cost of a hit beside the key and the read.
    if (parts := parts_of(stored, 7, mode, keep)) is None:
        return None
    text, finish, model, provider, deployment, usage, cost_usd = parts
    return Answer(
        text,
        finish,
        model=model,
        provider=provider,
        deployment=deployment,
        usage=Usage(*usage),
        cost_usd=cost_usd,
        billed_usd=0.0,
        cached=True,
    )
