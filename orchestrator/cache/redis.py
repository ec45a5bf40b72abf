"""Redis: the same answers for several machines, and one of them at a time that asks."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from orchestrator.cache.locks import STALE_S, note_in
from orchestrator.cache.store import Rest, Store
from orchestrator.types.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from orchestrator.cache.encryption import Encryption

_ROW, _TAG = "orchestrator:answer:", "orchestrator:tag:"
_LOCK, _ALIVE, _NOTE = "orchestrator:asking:", "orchestrator:alive:", "orchestrator:failed:"
_FORGET = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"
#: A holder whose heart has stopped for so long is dead; it beats more often.
_DEAD_S, _BEAT_S = 0.7, 0.2
_WAIT_S = 2.0


def connected(url: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """The client of a Redis, which connects when it is used, and what it raises.

    Raises: MissingExtraError: the extra ``redis`` is not installed; ConfigError: the address is
        none.
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
        words = "it is no address of a Redis server"  # which may hold a password
        raise ConfigError("orchestrator.cache.url", words, fix="redis://host:6379/0") from error
    return client, (redis.RedisError, OSError)


def shared_store(url: str, *, seal: Encryption | None = None) -> Store:
    """The store behind a Redis; a server that cannot be reached is a miss that is told once.

    Raises: MissingExtraError, ConfigError: as `connected`.
    """
    client, faults = connected(url)
    return Store("Redis", lambda: RedisBackend(client), faults, seal)


class RedisBackend:
    """Rows of a Redis; see `orchestrator.cache.store.KeyValueBackend`."""

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

    def evict(self, tag: str) -> int:
        """See `KeyValueBackend`."""
        names = [str(name, "ascii") for name in self._redis.smembers(_TAG + tag)]
        self.remove(names)
        self._redis.delete(_TAG + tag)
        return len(names)

    def clear(self) -> None:
        """See `KeyValueBackend`."""
        self.remove(self.names())

    def prune(self) -> int:
        """Nothing: the server removes what is past its age."""
        return 0

    def faulty(self) -> list[str]:
        """Nothing: the server looks after itself."""
        return []

    def size_bytes(self) -> int:
        """Nothing that could be told apart from what else the server holds."""
        return 0

    def close(self) -> None:
        """See `KeyValueBackend`."""
        self._redis.close()


class _Heart:
    """Tells a Redis that this process lives, as long as it holds or asks for anything."""

    def __init__(self, client: Any, faults: tuple[type[Exception], ...]) -> None:
        self._redis = client
        self._faults = faults
        self._lock = threading.Lock()
        self._count = self._pid = 0
        self._name = ""
        self._beaten = 0.0
        self._is_beating = False
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def begin(self) -> str:
        """Beat from here on, until `end`; the name under which it does.

        Raises: what the client raises; `end` is due nevertheless.
        """
        with self._lock:
            if self._pid != os.getpid():  # a fork holds nothing of its parent's
                self._pid, self._name, self._count = os.getpid(), uuid.uuid4().hex, 0
                self._beaten, self._is_beating = 0.0, False
            self._count += 1
            if not self._is_beating:
                self._is_beating = True
                self._stopped = threading.Event()
                self._thread = threading.Thread(
                    target=self._beating, args=(self._name, self._stopped), daemon=True
                )
                self._thread.start()
            name, is_due = self._name, time.monotonic() - self._beaten > _BEAT_S
        if is_due:
            self._beat(name)
        return name

    def end(self) -> None:
        """What `begin` began is over."""
        with self._lock:
            self._count -= 1

    def stop(self) -> None:
        """Beat no more; waits for a beat that is under way."""
        with self._lock:
            self._is_beating = False  # whoever asks once more begins anew
        self._stopped.set()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join()

    def _beating(self, name: str, stopped: threading.Event) -> None:
        while not stopped.wait(_BEAT_S):
            with self._lock:
                if self._count <= 0:
                    self._is_beating = False
                    return
            with contextlib.suppress(*self._faults):
                self._beat(name)

    def _beat(self, name: str) -> None:
        self._redis.set(_ALIVE + name, 1, px=int(_DEAD_S * 1000))
        self._beaten = time.monotonic()


class RedisLocks:
    """Locks that several machines share; one heartbeat of a process keeps all that it holds.

    A lock names its holder. Whose heart has stopped has lost it: the next one who asks takes it.
    """

    def __init__(self, url: str) -> None:
        """Nothing is connected yet.

        Raises: MissingExtraError: the extra ``redis`` is not installed; ConfigError: the address is
            none.
        """
        self._redis, self._faults = connected(url)
        self._forget = self._redis.register_script(_FORGET)
        self._heart = _Heart(self._redis, self._faults)
        self._rest = Rest()

    def take(self, key: str) -> Callable[[], None] | None:
        """See `Locks`."""
        if self._rest.is_on:
            raise OSError("Redis could not be reached a moment ago")
        is_taken = False
        try:
            me = self._heart.begin()
            is_taken = self._is_taken(_LOCK + key, me)
        except self._faults as error:
            self._rest.begin()
            raise OSError(f"Redis cannot be reached ({type(error).__name__})") from error
        finally:
            if not is_taken:
                self._heart.end()
        return functools.partial(self._release, _LOCK + key, me) if is_taken else None

    def _is_taken(self, name: str, me: str) -> bool:
        for _ in range(2):
            if self._redis.set(name, me, nx=True, ex=int(STALE_S)):
                return True
            holder = self._redis.get(name)
            if holder is not None and self._redis.exists(_ALIVE + str(holder, "ascii")):
                return False
            if holder is not None:
                self._forget(keys=[name], args=[holder])
        return False

    def _release(self, name: str, me: str) -> None:
        self._heart.end()
        with contextlib.suppress(*self._faults):
            self._forget(keys=[name], args=[me])

    def tell(self, key: str, note: Mapping[str, Any]) -> None:
        """See `Locks`; who cannot be told finds out by asking."""
        with contextlib.suppress(*self._faults):
            self._redis.set(_NOTE + key, json.dumps(dict(note)), ex=int(STALE_S))

    def told(self, key: str) -> dict[str, Any] | None:
        """See `Locks`."""
        if self._rest.is_on:
            return None
        try:
            return note_in(self._redis.get(_NOTE + key))
        except self._faults:
            self._rest.begin()
            return None

    def sweep(self) -> None:
        """Nothing: Redis forgets what is past its age."""

    def close(self) -> None:
        """See `Locks`."""
        self._heart.stop()
        self._redis.close()
