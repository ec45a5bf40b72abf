"""Work that ends: steps that are counted, and a request whose end stops it.

Loops call `look`. Inside of `allowance` it counts their steps, so that the same document meets the
same bound on every machine. In a thread of `judge` it ends the work of a request that is over, and
lets work that has taken less go first.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from orchestrator.types.errors import DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor

P = ParamSpec("P")
T = TypeVar("T")

#: Numbers of an array that count as one step, about a microsecond.
NUMBERS_PER_STEP = 256
THREADS = 64  # each holds the arrays of a document; further work waits for one of them
AT_ONCE = 2  # Python computes in one thread at a time; two, because a check may wait
_SLICE_S = 0.05
_POLL_S = 0.1


class TooMuchWork(Exception):
    """The steps that are allowed do not suffice; the message says for what, and what to do."""


class Stopped(BaseException):
    """The request that wanted the result is over."""


@dataclass(slots=True)
class _Allowance:
    """Steps that are left; `doing` and `advice` are the words for when there are none."""

    most: int
    left: int
    doing: str
    advice: str = "make the document smaller"


_allowed: contextvars.ContextVar[_Allowance | None] = contextvars.ContextVar("allowed")
_job: contextvars.ContextVar[_Job | None] = contextvars.ContextVar("job")


def look(steps: int = 1, numbers: int = 0) -> None:
    """Count `steps` turns of a loop and so many `numbers` of arrays before they are computed.

    Raises:
        TooMuchWork: they are more than the allowance has left.
        Stopped: the request that wanted the result is over.
    """
    if (job := _job.get(None)) is not None:
        job.look()
    if (allowed := _allowed.get(None)) is not None:
        allowed.left -= steps + numbers // NUMBERS_PER_STEP
        if allowed.left < 0:
            most = f"{allowed.doing} takes more than {allowed.most:,} steps of work"
            raise TooMuchWork(f"{most}; {allowed.advice}")


@contextlib.contextmanager
def repeated(times: int) -> Iterator[None]:
    """Count what is done inside, and look ahead: it is going to be done so many `times` more.

    Raises: TooMuchWork: the allowance does not suffice for that.
    """
    allowed = _allowed.get(None)
    before = allowed.left if allowed else 0
    yield
    if allowed and times > 0:
        ahead = (before - allowed.left) * times
        look(ahead)
        allowed.left += ahead


def doing(words: str, advice: str = "make the document smaller") -> None:
    """Say what the steps from here on are for, and what makes them fewer."""
    if (allowed := _allowed.get(None)) is not None:
        allowed.doing, allowed.advice = words, advice


@contextlib.contextmanager
def allowance(steps: int | None) -> Iterator[None]:
    """Inside, `look` counts down from `steps`, or from what an outer allowance has left of them.

    None: nothing is counted, for what is left to be said when the steps are used up.
    """
    outer, inner = _allowed.get(None), None
    if steps is not None:
        most = steps if outer is None else min(steps, max(outer.left, 0))
        inner = _Allowance(most, most, outer.doing if outer else "reading")
    token = _allowed.set(inner)
    try:
        yield
    finally:
        _allowed.reset(token)
        if outer is not None and inner is not None:
            outer.left -= inner.most - max(inner.left, 0)


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """The caller's own code runs inside; it may wait for something, so others work meanwhile."""
    job = _job.get(None)
    if job is not None:
        job.turns.give(job)
    try:
        yield
    finally:
        if job is not None:
            job.turns.take(job)


def result_of(future: Future[T]) -> T:
    """The result of what runs on an event loop; cancelled when the request is over.

    Raises: what it raises; Stopped: the request that wanted the result is over.
    """
    from concurrent.futures import wait  # noqa: PLC0415  as in `judge`

    job = _job.get(None)
    try:
        while not future.done():
            if job is not None and job.is_stopped:
                raise Stopped
            wait([future], timeout=_POLL_S)
        return future.result()
    finally:
        future.cancel()


@dataclass(slots=True, eq=False)
class _Job:
    """The work of one request in a thread."""

    turns: _Turns
    used_s: float = 0.0
    since: float = 0.0
    is_stopped: bool = False
    called: threading.Condition = field(init=False)

    def __post_init__(self) -> None:
        self.called = threading.Condition(self.turns.lock)

    def look(self) -> None:
        if self.is_stopped:
            raise Stopped
        if time.monotonic() - self.since > _SLICE_S:
            self.turns.give(self)
            self.turns.take(self)

    def run(self, work: Callable[[], T]) -> T:
        _job.set(self)  # in a copied context
        self.turns.take(self)
        try:
            self.look()
            return work()
        finally:
            self.turns.give(self)


@dataclass(slots=True)
class _Turns:
    """`AT_ONCE` jobs work at a time: those that have worked least, a slice of time each."""

    threads: ThreadPoolExecutor
    free: int = AT_ONCE
    waiting: list[_Job] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, job: _Job) -> None:
        with self.lock:
            self.waiting.append(job)
            while not job.is_stopped and not (self.free > 0 and self._first() is job):
                # The event loop sets the flag without this lock, so it is polled.
                job.called.wait(_POLL_S)
            self.waiting.remove(job)
            self.free -= 1
            job.since = time.monotonic()
            self._call()

    def _call(self) -> None:
        """Wake the job whose turn it is: all sixty would ask for the interpreter at once."""
        if self.free > 0 and self.waiting:
            self._first().called.notify()

    def _first(self) -> _Job:
        return min(self.waiting, key=lambda job: job.used_s)

    def give(self, job: _Job) -> None:
        with self.lock:
            job.used_s += time.monotonic() - job.since
            self.free += 1
            self._call()


@functools.cache
def _turns(process: int) -> _Turns:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  as in `judge`

    # A fork does not copy threads, so every process id has its own.
    del process
    return _Turns(ThreadPoolExecutor(THREADS, thread_name_prefix="orchestrator-judge"))


async def judge(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work` in a thread for judging; when the caller leaves, or its deadline is over, it stops.

    It stops where it next calls `look`.
    """
    import asyncio  # noqa: PLC0415  a command that asks nobody does without: a tenth of a second

    job = _Job(_turns(os.getpid()))
    ready = functools.partial(work, *args, **kwargs)
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    try:
        return await loop.run_in_executor(job.turns.threads, context.run, job.run, ready)
    finally:
        job.is_stopped = True


async def judge_within(
    seconds: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """As `judge`, before or beside a run, whose deadline does not hold there.

    Raises: DeadlineExceededError: it took longer.
    """
    import asyncio  # noqa: PLC0415  as in `judge`

    try:
        async with asyncio.timeout(seconds):
            return await judge(work, *args, **kwargs)
    except TimeoutError:
        words = f"a document was not judged within {seconds:g} s"
        raise DeadlineExceededError(f"{words}; make it smaller, or give it more time") from None
