"""Answers as JSON under digests, encrypted if wished, on disk or on a server.

A store that fails is a miss that is logged once, and never fails a request.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic_core import from_json

from orchestrator.cache.encryption import Encryption, EncryptionError
from orchestrator.cache.keys import redacted, without_secrets
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.cache.keys import Question

T = TypeVar("T")
_log = logger_of(__name__)
_REST_S = 5.0
#: Added to the key of an answer it names the row that holds the question.
_QUESTION = ".question"
_UNREADABLE = "cannot be read and is removed"


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

        Raises: RefusedError: this package did not write the row.
        """
        ...

    def write(self, rows: Mapping[str, bytes], *, max_age_s: float, tag: str) -> None:
        """Keep rows, all or none; a `max_age_s` of 0 keeps them until the size limit is met."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove rows; unknown ones are passed over."""
        ...

    def names(self) -> Iterator[str]:
        """Every name, oldest first where that is known."""
        ...

    def rows(self, ending: str = "", *, last: int = 0) -> Iterator[tuple[str, bytes | None]]:
        """Name and bytes of the rows whose names end so, in the same order; None for bytes that
        this package did not write.

        Only where there is a row of the same name without the ending; with `last` so many.
        """
        ...

    def count(self, ending: str) -> int:
        """How many names do not end so."""
        return sum(not name.endswith(ending) for name in self.names())

    def evict(self, tag: str) -> int:
        """Remove the rows of a tag; return how many there were."""
        ...

    def clear(self) -> None:
        """Remove everything."""
        ...

    def prune(self) -> int:
        """Remove what is past its age or beyond the size limit; return how many rows went."""
        return 0

    def faulty(self) -> list[str]:
        """What is wrong with the backend itself and is put right where it can be, a line each."""
        return []

    def size_bytes(self) -> int:
        """Bytes taken; 0 where only the server knows."""
        return 0

    def close(self) -> None:
        """Close the connections of this process."""
        ...


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """The state of a store.

    Attributes:
        directory: where it is; ``Redis`` for a server.
        size_bytes: bytes on disk.
        refused: foreign rows that were not read, since this process started.
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
        encryption: Encryption | None = None,
    ) -> None:
        """Open the backend; where `opened` raises one of `faults`, nothing is kept.

        Raises: ConfigError: as `opened` does.
        """
        self.place = place
        self._encryption = encryption or Encryption()
        self._refused = 0
        self._logged: set[str] = set()
        self._rest = Rest()
        self._faults = faults
        self._backend: KeyValueBackend | None = None
        self.is_remote = False
        try:
            self._backend = opened()
            self.is_remote = self._backend.is_remote
        except faults as error:
            self._warn("unusable", f"cannot be used ({_said(error)}); answers are not kept")

    def get(self, key: str) -> Any:
        """The value under `key`, parsed; None when there is none or it is damaged."""
        if self._backend is None or (self.is_remote and self._rest.is_on):
            return None
        try:
            return self._parsed(key, self._backend.read(key))
        except RefusedError as error:
            self._refused += 1
            self._warn("refused", f"{error}; it was not read")
        except self._faults as error:
            self._failed("read", error, "answers are asked again")
        return None

    def put(
        self, key: str, value: object, *, question: Question, max_age_s: float = 0.0, tag: str = ""
    ) -> None:
        """Store a JSON value and the redacted question: no prompt is kept.

        A `max_age_s` of 0 keeps it until the size limit is met.
        """
        self.put_all([(key, value, question)], max_age_s=max_age_s, tag=tag)

    def put_all(
        self,
        entries: Iterable[tuple[str, object, Question]],
        *,
        max_age_s: float = 0.0,
        tag: str = "",
    ) -> bool:
        """Store keys, values and questions as `put` does, all or none; return whether it could."""
        raw: dict[str, bytes] = {}
        for key, value, question in entries:
            raw[key] = self._encryption.encrypt(_json_bytes(value))
            kept = _json_bytes(redacted(without_secrets(question)))
            raw[key + _QUESTION] = self._encryption.encrypt(kept)

        def write(backend: KeyValueBackend) -> bool:
            backend.write(raw, max_age_s=max_age_s, tag=tag)
            return True

        return self._changed(write, "answers are not kept") or False

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the entries under `keys`; unknown ones are passed over."""
        names = [name for key in keys for name in (key, key + _QUESTION)]
        self._changed(lambda backend: backend.remove(names))

    def questions(self, beginning: str = "", *, last: int = 0) -> Iterator[tuple[str, Question]]:
        """What was asked, by the key of its answer, which begins so; oldest first.

        With `last` only so many, the last ones.
        """
        for name, raw in self._read_all(lambda backend: backend.rows(_QUESTION, last=last)):
            if name.startswith(beginning) and isinstance(asked := self._parsed(name, raw), dict):
                yield name.removesuffix(_QUESTION), asked

    def keys(self) -> list[str]:
        """The keys of the answers, oldest first; foreign rows are passed over."""
        names = self._read_all(lambda backend: backend.names())
        return [name for name in names if not name.endswith(_QUESTION)]

    def clear(self) -> int:
        """Remove every entry; return how many answers there were."""

        def clear(backend: KeyValueBackend) -> int:
            count = backend.count(_QUESTION)
            backend.clear()
            return count

        return self._changed(clear) or 0

    def evict(self, tag: str) -> int:
        """Remove the answers that were kept under a tag; return how many there were."""
        return (self._changed(lambda backend: backend.evict(tag)) or 0) // 2  # with their questions

    def prune(self) -> int:
        """Remove what is past its age or beyond the size limit; return how many rows went."""
        return self._changed(lambda backend: backend.prune()) or 0

    def verify(self) -> list[str]:
        """What is wrong with the store, a line each; damaged and foreign rows are removed.

        What another key has encrypted stays: it is whole, and was paid for.
        """
        if self._backend is None:
            return [f"{self.place} cannot be used"]
        damaged: list[str] = []
        try:
            wrong = self._backend.faulty()
            for name, raw in self._backend.rows():
                if not (words := self._damage(raw)):
                    continue
                key, is_question = name.removesuffix(_QUESTION), name.endswith(_QUESTION)
                wrong.append(f"{'the question of ' * is_question}entry {key} {words}")
                if words == _UNREADABLE:
                    damaged.append(name)
            self._backend.remove(damaged)
        except self._faults as error:
            return [f"{self.place} cannot be checked ({_said(error)})"]
        return wrong

    def _damage(self, raw: bytes | None) -> str:
        try:
            if raw is None:
                return _UNREADABLE
            from_json(self._encryption.decrypt(raw))
        except EncryptionError as error:
            return f"cannot be decrypted ({error}); it stays"
        except ValueError:
            return _UNREADABLE
        return ""

    def info(self) -> StoreInfo:
        """How much is stored."""
        volume = self._changed(lambda backend: backend.size_bytes()) or 0
        count = self._changed(lambda backend: backend.count(_QUESTION)) or 0
        return StoreInfo(self.place, count, volume, self._refused)

    def close(self) -> None:
        """Close the connections of this process."""
        if self._backend is not None:
            self._backend.close()

    def _changed(
        self, change: Callable[[KeyValueBackend], T], outcome: str = "entries stay"
    ) -> T | None:
        """What `change` returns; None where the backend cannot be written."""
        if self._backend is None or (self.is_remote and self._rest.is_on):
            return None
        try:
            return change(self._backend)
        except self._faults as error:
            self._failed("written", error, outcome)
            return None

    def _read_all(self, read: Callable[[KeyValueBackend], Iterator[T]]) -> Iterator[T]:
        """What `read` gives, up to where the backend cannot be read."""
        try:
            if self._backend is not None:
                yield from read(self._backend)
        except self._faults as error:
            self._failed("read", error, "answers are asked again")

    def _parsed(self, name: str, raw: bytes | None) -> Any:
        try:
            return None if raw is None else from_json(self._encryption.decrypt(raw))
        except EncryptionError as error:
            words = f"entry {name[:12]} cannot be decrypted ({error}); it is asked again"
            self._warn("encrypted", words)
        except ValueError as error:
            self._warn("damaged", f"entry {name[:12]} is not JSON ({error}); it is asked again")
        return None

    def _failed(self, verb: str, error: Exception, outcome: str) -> None:
        self._rest.begin()
        self._warn(verb, f"cannot be {verb} ({_said(error)}); {outcome}")

    def _warn(self, kind: str, words: str) -> None:
        # Once per kind: a broken disk must not print a line per request.
        if kind not in self._logged:
            self._logged.add(kind)
            _log.warning("The cache in %s %s.", self.place, words)


def _said(error: Exception) -> str:
    """What may be logged of a fault: a client of a server quotes its address, with a password."""
    is_local = isinstance(error, OSError) or type(error).__module__ in ("sqlite3", "diskcache.core")
    return (is_local and str(error)) or type(error).__name__


def _json_bytes(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="surrogatepass")
