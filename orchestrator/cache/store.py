"""Answers as JSON under digests, sealed if wished, wherever their rows are kept.

Whatever is wrong with that place is a miss that is told once, and never fails a request.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic_core import from_json

from orchestrator.cache.encryption import Encryption, EncryptionError
from orchestrator.cache.keys import as_kept, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)
_REST_S = 5.0
#: Added to the key of an answer it names the row that holds the question.
_QUESTION = ".question"


class Rest:
    """Leaves a server alone for a while that could not be reached: each wait for it is seconds."""

    def __init__(self) -> None:
        self._until = 0.0

    def begin(self) -> None:
        """It could not be reached now."""
        self._until = time.monotonic() + _REST_S

    @property
    def is_on(self) -> bool:
        """Whether it is left alone."""
        return time.monotonic() < self._until


class RefusedError(ValueError):
    """A row that this package did not write."""


class KeyValueBackend(Protocol):
    """Bytes under names.

    Attributes:
        is_remote: whether reading waits for a network, which no event loop should.
    """

    is_remote: bool

    def read(self, name: str) -> bytes | None:
        """The bytes under a name, None when there are none.

        Raises: RefusedError: the row is not ours.
        """
        ...

    def write(self, rows: Mapping[str, bytes], *, max_age_s: float, tag: str) -> None:
        """Keep rows, all or none; 0 keeps them until room is needed."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Forget rows; unknown ones are passed over."""
        ...

    def names(self) -> Iterator[str]:
        """Every name, oldest first where that is known."""
        ...

    def evict(self, tag: str) -> int:
        """Forget the rows of a tag; return how many there were."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...

    def prune(self) -> int:
        """Remove what is past its age or beyond the size limit; return how many rows went."""
        ...

    def faulty(self) -> list[str]:
        """What is wrong with the place itself, a line each."""
        ...

    def size_bytes(self) -> int:
        """How much room it takes; 0 where only the server knows."""
        ...

    def close(self) -> None:
        """Close the connections of this process."""
        ...


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """The state of a store.

    Attributes:
        directory: where it is; ``Redis`` for a server.
        size_bytes: bytes on disk.
        refused: rows that were not ours and were not read, since this process started.
    """

    directory: Path | str
    entries: int
    size_bytes: int
    refused: int


class Store:
    """JSON values under digests, shared by every process that names the same place."""

    def __init__(
        self,
        place: Path | str,
        opened: Callable[[], KeyValueBackend],
        faults: tuple[type[Exception], ...],
        seal: Encryption | None = None,
    ) -> None:
        """Open the rows; where `decrypt` raises one of `faults` nothing is kept, told once.

        Raises: ConfigError: as `decrypt` does.
        """
        self.place = place
        self._seal = seal or Encryption()
        self._refused = 0
        self._told: set[str] = set()
        self._rest = Rest()
        self._rows: KeyValueBackend | None = None
        try:
            self._rows = opened()
        except faults as error:
            self._tell("unusable", f"cannot be used ({_said(error)}); answers are not kept")
        self._faults = faults
        self.is_remote = self._rows is not None and self._rows.is_remote

    def get(self, key: str) -> Any:
        """The value under `key`, parsed; None when there is none or it is damaged."""
        if self._rows is None or self._rests():
            return None
        try:
            raw = self._rows.read(key)
            return None if raw is None else from_json(self._seal.decrypt(raw))
        except RefusedError as error:
            self._refused += 1
            self._tell("refused", f"{error}; it was not read")
        except EncryptionError as error:
            self._tell("sealed", f"entry {key[:12]} cannot be opened ({error}); it is asked again")
        except self._faults as error:
            self._failed("read", error, "answers are asked again")
        except ValueError as error:
            self._tell("damaged", f"entry {key[:12]} is not JSON ({error}); it is asked again")
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
        """Store a JSON value and the outline of what was asked: no prompt is kept.

        `max_age_s` 0 keeps it until room is needed.
        """
        if self._rows is None or self._rests():
            return
        kept = {
            key: self._seal.encrypt(_json_bytes(value)),
            key + _QUESTION: self._seal.encrypt(_json_bytes(redacted(as_kept(question)))),
        }
        try:
            self._rows.write(kept, max_age_s=max_age_s, tag=tag)
        except self._faults as error:
            self._failed("written", error, "answers are not kept")

    def delete(self, keys: Iterable[str]) -> None:
        """Forget the entries under `keys`; unknown ones are passed over."""
        if self._rows is None or self._rests():
            return
        try:
            self._rows.remove(name for key in keys for name in (key, key + _QUESTION))
        except self._faults as error:
            self._failed("written", error, "entries stay")

    def questions(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Everything that was asked, by the key of its answer, oldest first."""
        for key in self.keys():
            if isinstance(question := self.get(key + _QUESTION), dict):
                yield key, question

    def keys(self) -> list[str]:
        """The keys of the answers, oldest first; rows that are not ours are passed over."""
        found: list[str] = []
        if self._rows is None:
            return found
        try:
            found.extend(name for name in self._rows.names() if not name.endswith(_QUESTION))
        except RefusedError:
            self._refused += 1
            self._tell("refused", "holds a row that is not ours; it was not read")
        except self._faults as error:
            self._failed("read", error, "answers are asked again")
        return found

    def clear(self) -> int:
        """Remove every entry; return how many answers there were."""
        count = len(self.keys())

        def cleared(rows: KeyValueBackend) -> int:
            rows.clear()
            return count

        return self._removed(cleared)

    def evict(self, tag: str) -> int:
        """Forget the answers that were kept under a tag; return how many there were."""
        return self._removed(lambda rows: rows.evict(tag) // 2)  # each with its question

    def prune(self) -> int:
        """Remove what is past its age or beyond the size limit; return how many rows went."""
        return self._removed(lambda rows: rows.prune())

    def _removed(self, work: Callable[[KeyValueBackend], int]) -> int:
        if self._rows is None:
            return 0
        try:
            return work(self._rows)
        except self._faults as error:
            self._failed("written", error, "entries stay")
            return 0

    def verify(self) -> list[str]:
        """What is wrong with the store, a line each; damaged and foreign rows are removed."""
        if self._rows is None:
            return [f"{self.place} cannot be used"]
        wrong = self._rows.faulty()
        for key in self.keys():
            if self.get(key) is None:
                wrong.append(f"entry {key[:12]} cannot be read and is removed")
                self.delete([key])
        return wrong

    def info(self) -> StoreInfo:
        """How much is stored."""
        volume = 0 if self._rows is None else self._rows.size_bytes()
        return StoreInfo(self.place, len(self.keys()), volume, self._refused)

    def close(self) -> None:
        """Close the connections of this process."""
        if self._rows is not None:
            self._rows.close()

    def _rests(self) -> bool:
        """Whether nothing is tried for now; a disk is always tried again."""
        return self.is_remote and self._rest.is_on

    def _failed(self, verb: str, error: Exception, outcome: str) -> None:
        self._rest.begin()
        self._tell(verb, f"cannot be {verb} ({_said(error)}); {outcome}")

    def _tell(self, kind: str, words: str) -> None:
        # Once per kind: a broken disk must not print a line per request.
        if kind not in self._told:
            self._told.add(kind)
            _log.warning("The cache in %s %s.", self.place, words)


def _said(error: Exception) -> str:
    """What may be told of a fault: a client of a server quotes its address, with a password."""
    is_local = isinstance(error, OSError) or type(error).__module__ in ("sqlite3", "diskcache.core")
    return str(error) if is_local else type(error).__name__


def _json_bytes(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        errors="surrogatepass"
    )
