"""Rows in Redis: the same answers for several machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.cache.store import Store
from orchestrator.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.cache.seal import Seal

_ROW, _TAG = "orchestrator:answer:", "orchestrator:tag:"
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


def shared_store(url: str, *, seal: Seal | None = None) -> Store:
    """The store behind a Redis; a server that cannot be reached is a miss that is told once.

    Raises: MissingExtraError, ConfigError: as `connected`.
    """
    client, faults = connected(url)
    return Store("Redis", lambda: RedisRows(client), faults, seal)


class RedisRows:
    """Rows of a Redis; see `orchestrator.cache.store.Rows`."""

    is_remote = True

    def __init__(self, client: Any) -> None:
        """`client` connects when it is used."""
        self._redis = client

    def read(self, name: str) -> bytes | None:
        """See `Rows`."""
        found: bytes | None = self._redis.get(_ROW + name)
        return found

    def write(self, rows: Mapping[str, bytes], *, max_age_s: float, tag: str) -> None:
        """See `Rows`."""
        with self._redis.pipeline() as together:
            for name, raw in rows.items():
                together.set(_ROW + name, raw, px=int(max_age_s * 1000) or None)
                if tag:
                    together.sadd(_TAG + tag, name)
            together.execute()

    def remove(self, names: Iterable[str]) -> None:
        """See `Rows`."""
        if rows := [_ROW + name for name in names]:
            self._redis.delete(*rows)

    def names(self) -> Iterator[str]:
        """See `Rows`; the server knows no order."""
        found = (str(name, "ascii") for name in self._redis.scan_iter(f"{_ROW}*"))
        yield from sorted(name.removeprefix(_ROW) for name in found)

    def evict(self, tag: str) -> int:
        """See `Rows`."""
        names = [str(name, "ascii") for name in self._redis.smembers(_TAG + tag)]
        self.remove(names)
        self._redis.delete(_TAG + tag)
        return len(names)

    def clear(self) -> None:
        """See `Rows`."""
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
        """See `Rows`."""
        self._redis.close()
