"""Redis: the same answers, and the same locks, for several machines."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from orchestrator.cache.store import KeyValueBackend, Rest, Store
from orchestrator.types.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

    from orchestrator.cache.encryption import Encryption

_ROW, _TAG = "orchestrator:answer:", "orchestrator:tag:"
_LOCK = "orchestrator:lock:"
#: A lock is a lease of so many seconds, renewed so often; others look that often for its end.
_LEASE_S, _RENEW_S, _PAUSE_S = 1.5, 0.4, 0.1
_WAIT_S = 2.0
_AT_ONCE = 500


def connected(url: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """The client of a Redis, which connects when it is used, and what it raises.

    Raises: MissingExtraError: the extra ``redis`` is not installed; ConfigError: the address
        cannot be read.
    """
    try:
        import redis  # noqa: PLC0415  an extra
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("orchestrator.cache.url", "redis") from error
    # Once more for a connection that the server has closed; by default it would try for seconds.
    again = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    try:
        client = redis.Redis.from_url(
            url, socket_timeout=_WAIT_S, socket_connect_timeout=_WAIT_S, retry=again
        )
    except ValueError as error:
        words = "it is not an address of a Redis server"  # which may hold a password
        raise ConfigError("orchestrator.cache.url", words, fix="redis://host:6379/0") from error
    return client, (redis.RedisError, OSError)


def shared_store(url: str, *, encryption: Encryption | None = None) -> Store:
    """The store behind a Redis; a server that cannot be reached is a miss that is logged once.

    Raises: MissingExtraError, ConfigError: as `connected`.
    """
    client, faults = connected(url)
    return Store("Redis", lambda: RedisBackend(client), faults, encryption)


class RedisBackend(KeyValueBackend):
    """Rows of a Redis, which looks after their age and its own health."""

    is_remote = True

    def __init__(self, client: Any) -> None:
        """`client` connects when it is used."""
        self._redis = client

    def read(self, name: str) -> bytes | None:
        """See `KeyValueBackend`."""
        found: bytes | None = self._redis.get(_ROW + name)
        return found

    def write(self, rows: Mapping[str, bytes], *, max_age_s: float, tag: str) -> None:
        """See `KeyValueBackend`."""
        with self._redis.pipeline() as together:
            for name, raw in rows.items():
                together.set(_ROW + name, raw, px=int(max_age_s * 1000) or None)
                if tag:
                    together.sadd(_TAG + tag, name)
            together.execute()

    def remove(self, names: Iterable[str]) -> None:
        """See `KeyValueBackend`."""
        if rows := [_ROW + name for name in names]:
            self._redis.delete(*rows)

    def names(self) -> Iterator[str]:
        """See `KeyValueBackend`; the server knows no order."""
        found = (str(name, "ascii") for name in self._redis.scan_iter(f"{_ROW}*"))
        yield from sorted(name.removeprefix(_ROW) for name in found)

    def rows(self, ending: str = "", *, last: int = 0) -> Iterator[tuple[str, bytes | None]]:
        """See `KeyValueBackend`."""
        every = dict.fromkeys(self.names())
        names = [n for n in every if n.endswith(ending) and n.removesuffix(ending) in every]
        names = names[-last:]
        for at in range(0, len(names), _AT_ONCE):
            some = names[at : at + _AT_ONCE]
            found = zip(some, self._redis.mget([_ROW + name for name in some]), strict=True)
            yield from ((name, raw) for name, raw in found if raw is not None)

    def evict(self, tag: str) -> int:
        """See `KeyValueBackend`."""
        names = [str(name, "ascii") for name in self._redis.smembers(_TAG + tag)]
        self.remove(names)
        self._redis.delete(_TAG + tag)
        return len(names)

    def clear(self) -> None:
        """See `KeyValueBackend`."""
        self.remove(self.names())

    def close(self) -> None:
        """See `KeyValueBackend`."""
        self._redis.close()


class RedisLocks:
    """Locks that several machines share: redis-py's own, each a lease that its holder renews."""

    def __init__(self, url: str) -> None:
        """Nothing is connected yet.

        Raises: MissingExtraError: the extra ``redis`` is not installed; ConfigError: the address
            cannot be read.
        """
        self._redis, self._faults = connected(url)
        self._rest = Rest()

    @contextlib.asynccontextmanager
    async def held(self, key: str) -> AsyncIterator[None]:
        """See `Locks`; the lease of a dead process runs out."""
        loop, decided, over = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def decide() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(decided.set)

        # A thread for each lock: a loop or a pool that is busy for seconds would lose the lease,
        # and a task that is cancelled could leave the lock to an attempt that it no longer awaits.
        lock = self._redis.lock(_LOCK + key, timeout=_LEASE_S, thread_local=False)
        threading.Thread(target=self._hold, args=(lock, decide, over), daemon=True).start()
        try:
            await decided.wait()
            yield
        finally:
            over.set()

    def _hold(self, lock: Any, decide: Callable[[], None], over: threading.Event) -> None:
        """Take a lock, say so, renew it until it is over, and release it."""
        try:
            while not (self._rest.is_on or over.is_set() or lock.acquire(blocking=False)):
                over.wait(_PAUSE_S)
        except self._faults:
            self._rest.begin()
        finally:
            decide()
        with contextlib.suppress(*self._faults):  # also where no lock was taken
            while not over.wait(_RENEW_S):
                lock.reacquire()
            lock.release()

    def sweep(self) -> None:
        """Nothing: Redis removes a lease that ran out."""

    def close(self) -> None:
        """See `Locks`."""
        self._redis.close()
