"""The backends of the store: a directory, and a real Redis server."""

from __future__ import annotations

import importlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.cache.single_flight import Locks
from orchestrator.cache.store import Store
from orchestrator.client.stores import locks_of, store_of
from orchestrator.config.settings import Cache


@dataclass
class Position:
    """One backend, as the section ``cache`` of a configuration names it."""

    settings: dict[str, Any]
    #: Seconds after which a second caller has missed the cache and waits for the first.
    pause_s: float = 0.5

    def opened(self, **more: Any) -> Store:
        """A store opened as another process would open it."""
        return store_of(Cache(**{**self.settings, **more}), {})

    def locks(self) -> Locks:
        """Locks made as another process would make them."""
        return locks_of(Cache(**self.settings), {})

    def plant(self, raw: bytes, key: str = "") -> None:
        """Overwrite every stored answer with `raw`, or the answer of `key` alone."""
        raise NotImplementedError

    def raw(self) -> bytes:
        """All stored bytes, as they are stored."""
        raise NotImplementedError


class Directory(Position):
    @property
    def path(self) -> Path:
        return Path(self.settings["directory"])

    def plant(self, raw: bytes, key: str = "") -> None:
        with sqlite3.connect(self.path / "cache.db") as database:
            database.execute(
                "UPDATE Cache SET value = ? WHERE key NOT LIKE '%.question' AND key LIKE ?",
                (raw, key or "%"),
            )
        database.close()

    def raw(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.path.rglob("*") if path.is_file())


class Server(Position):
    @property
    def client(self) -> Any:
        return importlib.import_module("redis").Redis.from_url(self.settings["url"])

    def plant(self, raw: bytes, key: str = "") -> None:
        client = self.client
        for name in client.scan_iter(f"orchestrator:answer:{key}*"):
            if not name.endswith(b".question"):
                client.set(name, raw)
        client.close()

    def raw(self) -> bytes:
        client = self.client
        found = b"".join(
            name + client.get(name) for name in client.scan_iter("orchestrator:answer:*")
        )
        client.close()
        return found
