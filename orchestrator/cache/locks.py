"""Locks by question: in a directory for one machine, in Redis for several."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from orchestrator.cache.shared import connected
from orchestrator.cache.store import REST_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_STALE_S = 3600.0  # what nobody has asked for an hour is swept away
#: A holder whose heart has stopped for so long is dead; it beats more often.
_DEAD_S, _BEAT_S = 0.7, 0.2
_LOCK, _ALIVE, _NOTE = "orchestrator:asking:", "orchestrator:alive:", "orchestrator:failed:"
_FORGET = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


class FileLocks:
    """Locks of the operating system on the files of a directory."""

    def __init__(self, directory: Path) -> None:
        """Nothing is made before the first question."""
        self._directory = directory

    def take(self, key: str) -> Callable[[], None] | None:
        """See `Locks`; the operating system gives it back at once when its holder dies."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(self._path(key, "lock"), mode=0o600, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock.release

    def tell(self, key: str, note: Mapping[str, Any]) -> None:
        """See `Locks`; who cannot be told finds out by asking."""
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            handle = os.open(self._path(key, "error"), flags, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(dict(note), file)

    def told(self, key: str) -> dict[str, Any] | None:
        """See `Locks`."""
        with contextlib.suppress(OSError):
            return _read(self._path(key, "error").read_text(encoding="utf-8"))
        return None

    def sweep(self) -> None:
        """See `Locks`."""
        with contextlib.suppress(OSError):
            for path in self._directory.iterdir():
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is open between questions."""

    def _path(self, key: str, kind: str) -> Path:
        return self._directory / f"{key[:32]}.{kind}"


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
        self._rests_until = 0.0

    def take(self, key: str) -> Callable[[], None] | None:
        """See `Locks`."""
        if time.monotonic() < self._rests_until:
            raise OSError("Redis could not be reached a moment ago")
        is_taken = False
        try:
            me = self._heart.begin()
            is_taken = self._is_taken(_LOCK + key, me)
        except self._faults as error:
            self._rests_until = time.monotonic() + REST_S
            raise OSError(f"Redis cannot be reached ({type(error).__name__})") from error
        finally:
            if not is_taken:
                self._heart.end()
        return functools.partial(self._release, _LOCK + key, me) if is_taken else None

    def _is_taken(self, name: str, me: str) -> bool:
        for _ in range(2):
            if self._redis.set(name, me, nx=True, ex=int(_STALE_S)):
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
            self._redis.set(_NOTE + key, json.dumps(dict(note)), ex=int(_STALE_S))

    def told(self, key: str) -> dict[str, Any] | None:
        """See `Locks`."""
        with contextlib.suppress(*self._faults):
            return _read(self._redis.get(_NOTE + key))
        return None

    def sweep(self) -> None:
        """Nothing: Redis forgets what is past its age."""

    def close(self) -> None:
        """See `Locks`."""
        self._heart.stop()
        self._redis.close()


def _read(text: str | bytes | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        note = json.loads(text)
    except ValueError:  # half of it is written
        return None
    is_note = isinstance(note, dict) and {"id", "error"} <= set(note)
    return note if is_note else None
