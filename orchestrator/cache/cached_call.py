"""The cache in front of a call: content-addressed, one call per question.

`cached_call` is the one way through the cache. `CachingCompleter` is a completer that goes through
it to another completer; LiteLLM's own calls go through it too.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from orchestrator.cache.keys import LAYOUT, as_kept, differences, digest, question_of, similarity
from orchestrator.cache.single_flight import SingleFlight
from orchestrator.types.errors import CacheMissError
from orchestrator.types.requests import Answer, Request, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from orchestrator.cache.keys import Question
    from orchestrator.types.caching import CacheMode, CachePolicy
    from orchestrator.types.requests import Completer
    from orchestrator.types.run_context import RunContext

T = TypeVar("T")
_MOST_DIFFERENCES = 12
_MOST_COMPARED = 300  # the latest; comparing takes a millisecond each
#: Types of the parts of a stored answer.
_ANSWER = (str, str, str, str, str, list, int | float | None)


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
        self, key: str, value: object, *, question: Question, max_age_s: float = 0.0, tag: str = ""
    ) -> None:
        """Keep a value, and what was asked."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Forget values."""
        ...

    def questions(self) -> Iterator[tuple[str, Question]]:
        """Everything that was asked, by key."""
        ...


@dataclass(slots=True)  # a frozen one takes 2 µs to make, as long as the rest of a hit's overhead
class CacheEntry(Generic[T]):
    """The place of one question in a store, and how its value is read and kept.

    Attributes:
        max_age_s: for how many seconds it is kept where the policy says nothing; 0 for ever.
        decode: makes the value of its stored parts; None where it cannot.
    """

    store: AnswerStore
    key: str
    question: Question
    mode: CacheMode
    policy: CachePolicy
    max_age_s: float
    decode: Callable[[list[Any]], T | None]

    async def find(self) -> T | None:
        """The stored value; None for none, one of another layout, or one too old."""
        if self.store.is_remote:
            stored = await asyncio.to_thread(self.store.get, self.key)
        else:
            stored = self.store.get(self.key)  # 5 µs here; a hop to a thread would cost 70
        if not isinstance(stored, list) or len(stored) < 2 or stored[0] != LAYOUT:
            return None
        oldest_s = self.policy.oldest_s
        if self.mode == "use" and oldest_s > 0 and not _age_s(stored[1]) <= oldest_s:
            return None
        return self.decode(stored[2:])

    def keep(self, parts: list[object]) -> None:
        """Store the parts of a value with the moment, in seconds since 1970; 0 in a recording."""
        moment = 0.0 if self.mode == "record" else time.time()
        age = self.policy.ttl_s or self.max_age_s
        value = [LAYOUT, moment, *parts]
        self.store.put(self.key, value, question=self.question, max_age_s=age, tag=self.policy.tag)


def _age_s(moment: object) -> float:
    # What a clock ahead has stored is from the future: that far off, its age is not known.
    return abs(time.time() - moment) if isinstance(moment, int | float) else math.inf


@dataclass(slots=True)
class Result(Generic[T]):
    """What came of a call.

    Attributes:
        is_hit: the value comes from the store; otherwise it was asked for now.
        is_mine: this caller asked for it; a follower shares the value of its leader.
    """

    value: T
    is_hit: bool
    is_mine: bool


async def cached_call(
    entry: CacheEntry[T],
    flights: SingleFlight | None,
    *,
    ask: Callable[[], Awaitable[T]],
    encode: Callable[[T], list[object] | None],
) -> Result[T]:
    """The stored value of an entry, that of an identical call under way, or what `ask` gives.

    `encode` gives the parts of a value to store, None for a value that is not stored. Without
    `flights` the call is not shared, and its caller stores what becomes of it: a stream.

    Raises: CacheMissError: nothing is stored and the mode is ``replay``; what `ask` raises.
    """
    if entry.mode != "refresh" and (found := await entry.find()) is not None:
        return Result(found, True, False)
    if entry.mode == "replay":
        raise await asyncio.to_thread(missing, entry.store, entry.question)
    if flights is None:
        return Result(await ask(), False, True)
    locks = flights.locks if entry.mode == "use" else None

    async def lead() -> tuple[T, bool]:
        async with contextlib.nullcontext() if locks is None else locks.held(entry.key):
            if locks is not None and (stored := await entry.find()) is not None:
                return stored, True
            value = await ask()
            if (parts := encode(value)) is not None:
                await asyncio.to_thread(entry.keep, parts)
            return value, False

    key = f"{entry.mode}:{entry.policy.oldest_s}:{entry.key}"
    async with flights.joined(key, lead) as (task, is_leader):
        value, is_hit = await asyncio.shield(task)
    return Result(value, is_hit, is_leader and not is_hit)


def is_complete(answer: Answer) -> bool:
    """Whether an answer is worth keeping: it has a text, and nothing says that it was cut off."""
    ends = ("stop", "tool_calls", "")
    return answer.finish in ends and bool(answer.text) and not answer.refusal


class CachingCompleter:
    """A completer that answers from the store first, and asks each question once at a time."""

    def __init__(
        self,
        inner: Completer,
        store: AnswerStore,
        *,
        fingerprint: Callable[[str], str],
        max_age_s: float = 0.0,
        flights: SingleFlight | None = None,
    ) -> None:
        """`flights` with locks keep other processes from asking the same at the same time."""
        self.inner = inner
        self._store = store
        self._fingerprint = fingerprint
        self._max_age_s = max_age_s
        self._flights = flights or SingleFlight()

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """Answer from the store, from a call already under way, or by asking."""
        if request.cache == "off":
            return await self.inner.complete(request, context)
        question = question_of(request, fingerprint=self._fingerprint(request.route))
        entry = CacheEntry(
            self._store, digest(question), question, request.cache, request.keep,
            self._max_age_s, _decoded,
        )  # fmt: skip
        ask = functools.partial(self.inner.complete, request, context)
        result = await cached_call(entry, self._flights, ask=ask, encode=_encoded)
        answer = result.value
        if result.is_mine:
            return answer
        context.cost.add_cached(answer.usage, answer.cost_usd)
        return answer if result.is_hit else answer.from_cache()

    async def withdraw(self, requests: Iterable[Request]) -> None:
        """Forget the answers to `requests`: the run they belong to ended without a valid result."""
        keys = [
            digest(question_of(request, fingerprint=self._fingerprint(request.route)))
            for request in requests
            if request.cache in ("use", "refresh")
        ]
        await asyncio.to_thread(self._store.delete, keys)


def missing(store: AnswerStore, question: Question) -> CacheMissError:
    """The error that says what was asked and how the nearest kept question differs."""
    asked = as_kept(question)
    kept = list(store.questions())[-_MOST_COMPARED:]
    lines = [f"nothing is kept for this question (key {digest(question)[:12]})"]
    if kept:
        key, nearest = max(kept, key=lambda one: similarity(asked, one[1]))
        lines.append(f"the nearest is {key[:12]}; what is asked, and what is kept there")
        lines += list(differences(asked, nearest))[:_MOST_DIFFERENCES]
    else:
        lines.append("nothing at all is kept there; record first")
    return CacheMissError("; ".join(lines))


def _encoded(answer: Answer) -> list[object] | None:
    """A complete answer as JSON; `_decoded` reads it."""
    if not is_complete(answer):
        return None
    usage = answer.usage
    tokens = [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens]
    return [
        answer.text, answer.finish, answer.model, answer.provider, answer.deployment, tokens,
        answer.cost_usd,
    ]  # fmt: skip


def _decoded(parts: list[Any]) -> Answer | None:
    """The answer that `_encoded` made a value of, billed 0; None for anything else."""
    # Built in one go: this is the whole cost of a hit beside the key and the read.
    if len(parts) != 7 or not all(map(isinstance, parts, _ANSWER)):
        return None
    if list(map(type, parts[5])) != [int, int, int]:
        return None
    text, finish, model, provider, deployment, tokens, cost_usd = parts
    return Answer(
        text, finish, model=model, provider=provider, deployment=deployment, usage=Usage(*tokens),
        cost_usd=cost_usd, billed_usd=0.0, cached=True,
    )  # fmt: skip
