"""The sums of each month of the ledger, kept in a file beside it: no line is added up twice.

``YYYY-MM.sums`` says how far ``YYYY-MM.jsonl`` and ``YYYY-MM.sent`` are added up, and to what. It
may be removed at any time: who asks for sums adds up what is missing in it, or everything where a
file is not the one that was added up (another file, shorter, or edited).
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import os
import re
import zlib
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import TypeAdapter
from pydantic_core import SchemaValidator, ValidationError, core_schema

from orchestrator.ledger import jsonl as jsonlines
from orchestrator.ledger.private import write_private
from orchestrator.ledger.sums import Days, Sums, ranked
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.ledger.usage import By, Sum

_log = logger_of(__name__)
_LAYOUT = 1
_EDGE = 4096
_PARTS = 16
_ID = re.compile(rb'"id":"([^"\\]*)"')
#: Less than so many bytes are added up again rather than written down.
_WORTH_KEEPING = 2**18


@dataclass(slots=True)
class _Place:
    """How far a file is added up, and how to know that it is the same file.

    Attributes:
        size, changed_ns: of the whole file when it was looked at.
        at: bytes that are added up; `checksum` is theirs, `edges` that of their beginning and end.
    """

    inode: int = 0
    size: int = 0
    changed_ns: int = 0
    at: int = 0
    checksum: int = 1
    edges: int = 0


@dataclass(slots=True)
class _Open:
    """A request with calls whose end nothing says: it is added up when they have ended."""

    line: dict[str, Any]
    pending: list[dict[str, Any]]
    is_over: bool


@dataclass(slots=True)
class _State:
    """What is kept of a month.

    Attributes:
        spans: by day, where its first line begins and its last one ends.
        early: by the id of a request that may have begun in an earlier month, its lines.
        broken: number of lines that cannot be read.
    """

    layout: int = _LAYOUT
    days: Days = field(default_factory=dict)
    open: dict[str, _Open] = field(default_factory=dict)
    early: dict[str, int] = field(default_factory=dict)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    broken: int = 0
    jsonl: _Place = field(default_factory=_Place)
    sent: _Place = field(default_factory=_Place)


def sums_of(directory: Path, by: By, *, since: str = "", is_checked: bool = True) -> dict[str, Sum]:
    """The sums of the ledger by one property, by descending dollars, then by descending calls.

    Lines at or after `since` (ISO 8601) count. With `is_checked` what is added up already is read
    once more where its file has changed, to see whether somebody edited it.
    """
    names = {path.stem for end in ("jsonl", "sent") for path in directory.glob(f"*.{end}")}
    months = [Month(directory, name) for name in sorted(names) if name >= since[:7]]
    for month in months:
        month.catch_up(is_checked=is_checked)
    broken = sum(month.broken for month in months)
    if broken:
        _log.warning("%d lines in %s cannot be read and were skipped.", broken, directory)
    found = Sums()
    for number, month in enumerate(months):
        month.add_to(found, months[number + 1 :], by, since)
    return ranked(found.by(by))


def keep_sums(directory: Path, name: str) -> None:
    """Bring the kept sums of a month up to date."""
    Month(directory, name).catch_up(is_checked=False)


class Month:
    """One month of the ledger."""

    def __init__(self, directory: Path, name: str) -> None:
        """Reads nothing yet; `name`: ``YYYY-MM``."""
        self._paths = {end: directory / f"{name}.{end}" for end in ("jsonl", "sent", "sums")}
        self._name = name
        self._state = _State()
        self._sums = Sums()

    @property
    def broken(self) -> int:
        """Number of lines that cannot be read."""
        return self._state.broken

    def catch_up(self, *, is_checked: bool) -> None:
        """Add up what is not added up yet, and keep the sums where that was much."""
        self._state = self._kept()
        if not all(self._is_same(end, is_checked=is_checked) for end in ("jsonl", "sent")):
            self._state = _State()
        self._sums = Sums(self._state.days)
        before = self._state.jsonl.at + self._state.sent.at
        # Lines of requests that are over come first: what was sent before one is in the other file
        # by then. So what is kept never has a request over whose call it has not seen.
        over = self._add_over()
        self._add_sent(over)
        if self._state.jsonl.at + self._state.sent.at - before >= _WORTH_KEEPING:
            self._keep()
        self._add_over(is_last=True)  # what is over meanwhile is not unfinished

    def add_to(self, found: Sums, later: Iterable[Month], by: By, since: str) -> None:
        """Add the sums by one property of the lines at or after `since` to others."""
        day = since[:10]
        found.add_days(self._sums.days(), by, since)  # a day is before each of its own times
        if len(since) > len(day) and day in self._state.spans:
            for line in self._lines_of(day):
                if since <= line.get("at", "") and line.get("at", "")[:10] == day:
                    found.add(line)
        for name, one in self._state.open.items():
            ended = sum(month._state.early.get(name, 0) for month in later)
            if one.line.get("at", "") < since or (ended and not one.is_over):
                continue
            found.add({**one.line, "wire": [*one.line.get("wire", ()), *one.pending[ended:]]})

    def _lines_of(self, day: str) -> Iterator[dict[str, Any]]:
        """The lines of a day that are added up, and maybe some of others."""
        start, end = self._state.spans[day]
        with jsonlines.opened(self._paths["jsonl"]) as file:
            for _, _, lines in jsonlines.blocks(file, start, end, is_last=True):
                for line in filter(None, map(_parsed, lines)):
                    if not (line.pop("pending", None) and line.get("id") in self._state.open):
                        yield line

    def _add_over(self, *, is_last: bool = False) -> list[array[int]]:
        """Add the lines of requests that are over; return hashes of their ids."""
        state, over = self._state, [array("q") for _ in range(_PARTS)]
        for at, raw in self._new("jsonl", is_last=is_last):
            line = _parsed(raw)
            if line is None:
                state.broken += 1
                continue
            day, name = line.get("at", "")[:10], line.get("id", "")
            span = state.spans.get(day)
            state.spans[day] = (span[0] if span else at, at + len(raw))
            over[hash(name) % _PARTS].append(hash(name))
            if name in state.open or "pending" in line or line.get("operation") == "late":
                self._add_odd(name, line)
            else:
                self._sums.add(line)
                if day.endswith("-01") and _month_of_start(line) < self._name:
                    state.early[name] = 1
        return over

    def _add_odd(self, name: str, line: dict[str, Any]) -> None:
        """Add a line of a request of which calls are in flight, or were."""
        state, announced = self._state, line.pop("pending", None)
        one = state.open.get(name)
        if one and not one.is_over:
            one = state.open.pop(name) and None
        if announced and one is None:
            state.open[name] = _Open(line, announced, is_over=True)
            return
        self._sums.add(line)
        if announced and one:
            one.pending += announced
        elif line.get("operation") == "late" and one:
            one.pending.pop(0)
            if not one.pending:
                self._sums.add(state.open.pop(name).line)
        elif line.get("operation") == "late":
            state.early[name] = state.early.get(name, 0) + 1

    def _add_sent(self, over: list[array[int]]) -> None:
        """Add the calls of requests that are not over."""
        parts = [array("q", sorted(part)) for part in over]  # a set takes eight times the memory

        def is_over(name: str) -> bool:
            part = parts[hash(name) % _PARTS]
            at = bisect_left(part, hash(name))
            return at < len(part) and part[at] == hash(name)

        for _, raw in self._new("sent"):
            # Most are over, and their id says so; only a line that is spelled otherwise is read.
            found = _ID.search(raw)
            if found and is_over(found[1].decode(errors="replace")):
                continue
            line = _parsed(raw)
            if line is None:
                self._state.broken += 1
            elif not is_over(name := line.get("id", "")):
                pending = line.pop("pending", [])
                self._state.open[name] = _Open(line, pending, is_over=False)

    def _new(self, end: str, *, is_last: bool = False) -> Iterator[tuple[int, bytes]]:
        """The lines that are not added up yet, and where each begins.

        With `is_last` a line that has no end yet is among them, and nothing is added afterwards.
        """
        place: _Place = getattr(self._state, end)
        with contextlib.suppress(FileNotFoundError), jsonlines.opened(self._paths[end]) as file:
            found = os.fstat(file.fileno())
            place.inode, place.size, place.changed_ns = _identity(found)
            size, before = found.st_size, place.at
            for at, after, lines in jsonlines.blocks(file, before, size, is_last=is_last):
                for raw in lines:
                    yield at, raw
                    at += len(raw) + 1  # noqa: PLW2901  where the next one begins
                place.at = after
            place.checksum = _checksum(file, before, place.at, place.checksum)
            place.edges = _edges(file, place.at)

    def _is_same(self, end: str, *, is_checked: bool) -> bool:
        """Whether a file is the one that was added up."""
        place: _Place = getattr(self._state, end)
        try:
            with jsonlines.opened(self._paths[end]) as file:
                inode, size, changed_ns = _identity(os.fstat(file.fileno()))
                if (inode, size, changed_ns) == (place.inode, place.size, place.changed_ns):
                    return True
                is_longer = inode == place.inode and size > place.size
                if not is_longer or _edges(file, place.at) != place.edges:
                    return place == _Place()
                return not is_checked or _checksum(file, 0, place.at) == place.checksum
        except FileNotFoundError:
            return place == _Place()

    def _kept(self) -> _State:
        """What is kept; nothing where it cannot be used."""
        try:
            with jsonlines.opened(self._paths["sums"]) as file:
                checksum, _, raw = file.read().partition(b"\n")
            if int(checksum, 16) != zlib.crc32(raw):
                return _State()
            state = _adapter().validate_json(raw)
        except (OSError, ValueError):  # none, or not whole
            return _State()
        return state if state.layout == _LAYOUT else _State()

    def _keep(self) -> None:
        self._sums.days()
        raw = _adapter().dump_json(self._state)
        try:
            write_private(self._paths["sums"], b"%08x\n%b" % (zlib.crc32(raw), raw))
        except OSError as error:  # it takes longer each time, and is right
            _log.info("The sums of the ledger cannot be kept (%s).", error)


@functools.cache
def _adapter() -> TypeAdapter[_State]:
    return TypeAdapter(_State)


@functools.cache
def _validator() -> SchemaValidator:
    """Takes from a line what is added up; creating the rest would double the time."""

    def typed(**fields: core_schema.CoreSchema) -> core_schema.CoreSchema:
        return core_schema.typed_dict_schema(
            {
                name: core_schema.typed_dict_field(one, required=False)
                for name, one in fields.items()
            }
        )

    text, count = core_schema.str_schema(), core_schema.int_schema()
    number = core_schema.float_schema(allow_inf_nan=False)
    nullable, listed = core_schema.nullable_schema, core_schema.list_schema
    name = nullable(text)
    usage = nullable(typed(prompt_tokens=count, completion_tokens=count))
    attempt = typed(
        model=name, outcome=name, seconds=number, usage=usage, cost_usd=nullable(number),
        estimated=core_schema.bool_schema(),
    )  # fmt: skip
    line = typed(
        at=text, id=text, operation=name, route=name, agent_type=name, tenant=name, hits=count,
        seconds=number, wire=listed(attempt), pending=listed(attempt),
    )  # fmt: skip
    return SchemaValidator(line)


def _parsed(raw: bytes) -> dict[str, Any] | None:
    """What is added up of a line; None where it cannot be read."""
    line: dict[str, Any]
    try:
        line = _validator().validate_json(raw)
    except ValidationError:
        try:  # names that UTF-8 cannot encode
            again = json.dumps(json.loads(raw.decode(errors="replace")), ensure_ascii=False)
            line = _validator().validate_json(again.encode(errors="replace"))
        except (ValueError, RecursionError):
            return None
    return line


def _month_of_start(line: Mapping[str, Any]) -> str:
    """The month in which a request began, or the one in which it ended where nothing says."""
    with contextlib.suppress(ValueError, OverflowError):
        end = datetime.datetime.fromisoformat(line["at"])
        return (end - datetime.timedelta(seconds=line.get("seconds", 0.0))).isoformat()[:7]
    return str(line["at"])[:7]


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _edges(file: BinaryIO, end: int) -> int:
    """A checksum of the first and the last bytes before a place."""
    file.seek(0)
    first = file.read(min(_EDGE, end))
    file.seek(max(0, end - _EDGE))
    return zlib.crc32(first + file.read(min(_EDGE, end)))


def _checksum(file: BinaryIO, start: int, end: int, before: int = 1) -> int:
    """The checksum of the bytes up to `end`, from that of those before `start`."""
    file.seek(start)
    found = before
    while start < end and (block := file.read(min(end - start, 2**20))):
        found, start = zlib.adler32(block, found), start + len(block)
    return found
