"""The cache in front of the Router: content-addressed, JSON only, one call per question.

`Cached` is a completer in front of another. Its key covers everything that shapes an answer, and
identical questions asked at the same time share one call. `Store` is the disk beneath: bytes of
JSON under a digest, in a directory only its owner can read. A pickle found there is refused,
never loaded.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import logging
import os
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import diskcache
from pydantic_core import from_json

from orchestrator.errors import ConfigError
from orchestrator.result import Answer, Request, Usage
from orchestrator.tally import current

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from orchestrator.result import Completer

T = TypeVar("T")

LAYOUT = 1  # of the stored values; another number makes every older entry a miss

_log = logging.getLogger(__name__)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_FILE_NAME = re.compile(r"[0-9a-f]{2}[/\\][0-9a-f]{2}[/\\][0-9a-f]{28}\.val")
# What a damaged or unusable store raises; the request then goes on as a miss.
_DISK_FAULTS = (sqlite3.Error, OSError, diskcache.Timeout)


class _Refused(ValueError):
    """A row that this package did not write."""


class JSONBytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache ships no types
    """Reads and writes bytes under text keys and nothing else, so a pickle is never loaded."""

    def put(self, key: object) -> tuple[str, bool]:
        if not isinstance(key, str):
            raise TypeError(f"cache key {key!r} is not text")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not raw or not isinstance(key, str):
            raise _Refused("the key of a cache row is not plain text")
        return key

    def store(self, value: object, read: bool, key: object = "") -> tuple[Any, ...]:  # noqa: FBT001  diskcache's signature
        if not isinstance(value, bytes) or read:
            raise TypeError(f"cache value of type {type(value).__name__} is not bytes")
        return tuple(super().store(value, False, key))

    def fetch(self, mode: int, filename: str | None, value: object, read: bool) -> bytes:  # noqa: FBT001  diskcache's signature
        if mode == diskcache.core.MODE_RAW and isinstance(value, bytes):
            return value
        if mode == diskcache.core.MODE_BINARY and filename and _FILE_NAME.fullmatch(filename):
            return bytes(super().fetch(mode, filename, None, False))
        raise _Refused(f"a cache row holds mode {mode}, which this package never writes")


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """The state of a store.

    Attributes:
        size_bytes: bytes on disk.
        refused: rows that were not ours and were not read, since this process started.
    """

    directory: Path
    entries: int
    size_bytes: int
    refused: int


class Store:
    """JSON bytes under digests, on disk, shared by every process that names the directory."""

    def __init__(self, directory: Path, *, size_limit_mb: int = 1024) -> None:
        """Open or create the store.

        Raises: ConfigError: the directory cannot be made, or belongs to another user.
        """
        self.directory = directory
        self._refused = 0
        self._told: set[str] = set()
        _make_private(directory)
        try:
            self._disk = diskcache.Cache(
                str(directory), disk=JSONBytesDisk, size_limit=size_limit_mb * 2**20, timeout=5
            )
        except _DISK_FAULTS as error:
            raise ConfigError(
                "orchestrator.cache.directory",
                f"{str(directory)!r} is not a usable cache ({error})",
                fix="Name another directory in ORCHESTRATOR_CACHE_DIR, or remove this one.",
            ) from error

    def get(self, key: str) -> Any:
        """The value under `key`, parsed; None when there is none or it is damaged."""
        try:
            raw = self._disk.get(key)
            return None if raw is None else from_json(raw)
        except _Refused as error:
            self._refused += 1
            self._tell("refused", f"{error}; it was not read")
        except ValueError as error:
            self._tell("damaged", f"entry {key[:12]} is not JSON ({error}); it is asked again")
        except _DISK_FAULTS as error:
            self._tell("unreadable", f"cannot be read ({error}); answers are asked again")
        return None

    def put(self, key: str, value: object, *, max_age_s: float = 0.0) -> None:
        """Store a JSON value; `max_age_s` 0 keeps it until room is needed."""
        raw = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        try:
            self._disk.set(key, raw, expire=max_age_s or None)
        except _DISK_FAULTS as error:
            self._tell("unwritable", f"cannot be written ({error}); answers are not kept")

    def delete(self, keys: Iterable[str]) -> None:
        """Forget the entries under `keys`; unknown ones are passed over."""
        try:
            for key in keys:
                self._disk.delete(key)
        except _DISK_FAULTS as error:
            self._tell("unwritable", f"cannot be written ({error}); entries stay")

    def clear(self) -> int:
        """Remove every entry; return how many there were."""
        return int(self._disk.clear())

    def info(self) -> StoreInfo:
        """How much is stored."""
        return StoreInfo(self.directory, len(self._disk), int(self._disk.volume()), self._refused)

    def close(self) -> None:
        """Close the database connections of this process."""
        self._disk.close()

    def _tell(self, kind: str, words: str) -> None:
        # Once per kind: a broken disk must not print a line per request.
        if kind not in self._told:
            self._told.add(kind)
            _log.warning("The cache in %s %s.", self.directory, words)


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = directory.stat().st_uid
    except OSError as error:
        raise ConfigError(
            "orchestrator.cache.directory",
            f"{str(directory)!r} cannot be used ({error.strerror or error})",
            fix="Name a writable directory in ORCHESTRATOR_CACHE_DIR, or set cache.mode: off.",
        ) from error
    if hasattr(os, "getuid") and owner != os.getuid():
        raise ConfigError(
            "orchestrator.cache.directory",
            f"{str(directory)!r} belongs to user {owner}, not to you",
            fix="Name a directory of your own in ORCHESTRATOR_CACHE_DIR.",
        )
    directory.chmod(0o700)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`; key order and the spelling of numbers do not count.

    Raises: TypeError: something in it has no JSON form.
    """
    return hashlib.sha256(_CANONICAL.encode(value).encode(errors="surrogatepass")).hexdigest()


def cache_key(request: Request, *, fingerprint: str) -> str:
    """Digest of everything that shapes the answer; stable across processes.

    `fingerprint` identifies the deployments behind the route, without their keys.

    Raises: TypeError: a parameter has no JSON form.
    """
    return digest(
        [
            LAYOUT,
            request.route,
            fingerprint,
            [(str(turn.role), turn.content) for turn in request.messages],
            _plain(request.parameters),
            request.mode,
            request.schema if request.mode in ("json_schema", "tool_call") else request.in_words,
            dict(request.templates),
            request.sample,
        ]
    )


def _plain(value: object) -> object:
    # 1 and 1.0 are the same number to every provider.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def is_complete(answer: Answer) -> bool:
    """Whether an answer is worth keeping: it ended by itself and says something."""
    return answer.finish in ("stop", "tool_calls") and bool(answer.text) and not answer.refusal


class Cached:
    """A completer that answers from the store first, and asks each question once at a time."""

    def __init__(
        self,
        inner: Completer,
        store: Store,
        *,
        fingerprint: Callable[[str], str],
        max_age_s: float = 0.0,
    ) -> None:
        self._inner = inner
        self._store = store
        self._fingerprint = fingerprint
        self._max_age_s = max_age_s
        self._flights = Flights()

    def through(self, inner: Completer) -> Cached:
        """The same store and the same calls under way in front of another completer."""
        made = copy.copy(self)
        made._inner = inner
        return made

    async def complete(self, request: Request) -> Answer:
        """Answer from the store, from a call already under way, or by asking."""
        if request.cache == "off":
            return await self._inner.complete(request)
        key = cache_key(request, fingerprint=self._fingerprint(request.route))
        # 5 µs here; a hop to a thread would cost 70.
        if request.cache == "use" and (hit := _hit(self._store.get(key))) is not None:
            return _served(hit)
        answer, is_leader = await self._flights.join(
            f"{request.cache}:{key}", lambda: self._ask(key, request)
        )
        return answer if is_leader else _served(answer.from_cache())

    async def withdraw(self, requests: Iterable[Request]) -> None:
        """Forget the answers to `requests`: the run they belong to ended without a valid result."""
        keys = [
            cache_key(request, fingerprint=self._fingerprint(request.route))
            for request in requests
            if request.cache != "off"
        ]
        await asyncio.to_thread(self._store.delete, keys)

    async def _ask(self, key: str, request: Request) -> Answer:
        answer = await self._inner.complete(request)
        if is_complete(answer):
            await asyncio.to_thread(
                self._store.put, key, _stored(answer), max_age_s=self._max_age_s
            )
        return answer


def _served(answer: Answer) -> Answer:
    if (tally := current()) is not None:
        tally.served(answer.usage, answer.cost_usd)
    return answer


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[Any]
    waiting: int = 0


class Flights:
    """Calls under way, by key: who asks the same meanwhile waits for the same answer."""

    def __init__(self) -> None:
        self._under_way: dict[str, _Flight] = {}

    async def join(self, key: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
        """The outcome of the call under `key`, and whether this caller started it.

        The call lives as long as anybody waits for it: a caller that is cancelled takes it down
        only when it was the last.
        """
        # A task can only be waited for on its own loop.
        key = f"{id(asyncio.get_running_loop())}:{key}"
        flight = self._under_way.get(key)
        is_leader = flight is None
        if flight is None:
            flight = self._under_way[key] = _Flight(asyncio.create_task(ask()))
            flight.task.add_done_callback(lambda _: self._leave(key, flight))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task), is_leader
        except asyncio.CancelledError:
            if flight.waiting == 1 and not flight.task.done():
                self._leave(key, flight)  # whoever asks from here on starts a call of their own
                flight.task.cancel()
                # The connection is closed before the caller hears that it was cancelled.
                await asyncio.wait([flight.task])
            raise
        finally:
            flight.waiting -= 1

    def _leave(self, key: str, flight: _Flight) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]


def _stored(answer: Answer) -> list[object]:
    usage = answer.usage
    return [
        LAYOUT,
        answer.text,
        answer.finish,
        answer.model,
        answer.provider,
        answer.deployment,
        [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens],
        answer.cost_usd,
    ]


def _hit(stored: object) -> Answer | None:
    # Built in one go: this is the whole cost of a hit beside the key and the read.
    if not isinstance(stored, list) or len(stored) != 8 or stored[0] != LAYOUT:
        return None
    _, text, finish, model, provider, deployment, usage, cost_usd = stored
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
