"""The store behind Redis: the same answers for several machines."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from orchestrator.cache.disk import StoreInfo, json_bytes
from orchestrator.cache.keys import as_kept, outlined
from orchestrator.cache.seal import SealError
from orchestrator.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.cache.seal import Seal

_log = logging.getLogger(__name__)
_ANSWER, _QUESTION = "orchestrator:answer:", "orchestrator:question:"
_TAG = "orchestrator:tag:"
_WAIT_S = 2.0


def connected(url: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """The client of a Redis, which connects when it is used, and what it raises.

    Raises: MissingExtraError: the extra ``redis`` is not installed; ConfigError: the address is
        none.
    """
    try:
        import redis  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        raise MissingExtraError("orchestrator.cache.url", "redis") from error
    try:
        client = redis.Redis.from_url(url, socket_timeout=_WAIT_S, socket_connect_timeout=_WAIT_S)
    except ValueError as error:
        words = "it is no address of a Redis server"  # which may hold a password
        raise ConfigError("orchestrator.cache.url", words, fix="redis://host:6379/0") from error
    return client, (redis.RedisError, OSError)


class RedisStore:
    """JSON bytes under digests, in Redis; the same doors as the store on disk.

    A server that cannot be reached is a miss that is told once. Reading waits for the network, so
    whoever is on an event loop reads in a thread (`is_remote`).
    """

    is_remote = True

    def __init__(self, url: str, seal: Seal) -> None:
        """Nothing is connected yet.

        Raises: MissingExtraError: the extra ``redis`` is not installed; ConfigError: the address is
            none.
        """
        self._redis, self._faults = connected(url)
        self._seal = seal
        self._told: set[str] = set()

    def get(self, key: str) -> Any:
        """The value under `key`, parsed; None when there is none or it cannot be had."""
        return self._read(_ANSWER + key)

    def _read(self, name: str) -> Any:
        try:
            raw = self._redis.get(name)
            return None if raw is None else from_json(self._seal.opened(raw))
        except self._faults as error:
            self._tell("unreadable", f"cannot be read ({type(error).__name__})")
        except SealError as error:
            self._tell("sealed", f"holds an entry that cannot be opened ({error})")
        except ValueError as error:
            self._tell("damaged", f"holds an entry that is not JSON ({error})")
        return None

    def put(
        self,
        key: str,
        value: object,
        *,
        question: Mapping[str, object],
        max_age_s: float = 0.0,
        tag: str = "",
    ) -> None:
        """Store a JSON value and the outline of what was asked."""
        age = int(max_age_s * 1000) or None
        try:
            with self._redis.pipeline() as both:
                both.set(_ANSWER + key, self._closed(value), px=age)
                both.set(_QUESTION + key, self._closed(outlined(as_kept(question))), px=age)
                if tag:
                    both.sadd(_TAG + tag, key)
                both.execute()
        except self._faults as error:
            self._tell("unwritable", f"cannot be written ({type(error).__name__})")

    def _closed(self, value: object) -> bytes:
        return self._seal.closed(json_bytes(value))

    def delete(self, keys: Iterable[str]) -> None:
        """Forget the entries under `keys`."""
        try:
            for key in keys:
                self._redis.delete(_ANSWER + key, _QUESTION + key)
        except self._faults as error:
            self._tell("unwritable", f"cannot be written ({type(error).__name__}); entries stay")

    def keys(self) -> list[str]:
        """The keys of the answers."""
        try:
            found = [str(name, "ascii") for name in self._redis.scan_iter(f"{_ANSWER}*")]
        except self._faults as error:
            self._tell("unreadable", f"cannot be read ({type(error).__name__})")
            return []
        return sorted(name.removeprefix(_ANSWER) for name in found)

    def questions(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Everything that was asked, by the key of its answer."""
        for key in self.keys():
            if isinstance(question := self._read(_QUESTION + key), dict):
                yield key, question

    def info(self) -> StoreInfo:
        """How much is stored; its size is the server's to know."""
        return StoreInfo("redis", len(self.keys()), 0, 0)

    def prune(self) -> int:
        """Nothing: the server removes what is past its age."""
        return 0

    def verify(self) -> list[str]:
        """What cannot be read, a line each; it is removed."""
        wrong = [key for key in self.keys() if self.get(key) is None]
        self.delete(wrong)
        return [f"entry {key[:12]} cannot be read and is removed" for key in wrong]

    def evict(self, tag: str) -> int:
        """Forget the answers that were kept under a tag; return how many there were."""
        try:
            keys = [str(key, "ascii") for key in self._redis.smembers(_TAG + tag)]
            self._redis.delete(_TAG + tag)
        except self._faults as error:
            self._tell("unreadable", f"cannot be read ({type(error).__name__})")
            return 0
        self.delete(keys)
        return len(keys)

    def clear(self) -> int:
        """Remove every entry; return how many answers there were."""
        keys = self.keys()
        self.delete(keys)
        return len(keys)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _tell(self, kind: str, words: str) -> None:
        # Never the address, which may hold a password; once per kind, as the disk does.
        if kind not in self._told:
            self._told.add(kind)
            _log.warning("The cache in Redis %s; what is missing is asked again.", words)
