"""The sums of each month of the ledger, kept in a file beside it: no line is added up twice.

``YYYY-MM.3.sums`` says how far ``YYYY-MM.jsonl`` and ``YYYY-MM.sent`` are added up, and to what. It
may be removed at any time: who asks for sums adds up what is missing in it, or everything where a
file is not the one that was added up (another file, shorter, or edited).

Its first line is a checksum, the second what is known of the files, and each further one holds the
sums of a day by one property: only those that are asked for are read.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import os
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import TypeAdapter
from pydantic_core import CoreConfig, SchemaValidator, ValidationError, core_schema

from orchestrator.ledger import jsonl as jsonlines
from orchestrator.ledger.private import write_private
from orchestrator.ledger.sums import Sums, add_names, counted, ranked
from orchestrator.ledger.usage import Sum
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.ledger.usage import By

_log = logger_of(__name__)
#: The layout is in the name: versions that know different ones do not spoil each other's file.
_KEPT = "3.sums"
_EDGE = 4096
_ID = re.compile(r'\n{"at":"[^"\\\n]*","id":"([^"\\\n]*)",')
#: Less than so many bytes are added up again rather than written down.
_WORTH_KEEPING = 2**18


@dataclass(slots=True)
class _Place:
    """How far a file is added up, and how to know that it is the same file.

    Attributes:
        seen: inode, size and time of change of the whole file when it was looked at.
        at: bytes that are added up; `checksum` is theirs, `edges` that of their beginning and end.
    """

    seen: tuple[int, int, int] = (0, 0, 0)
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
        parts: day and property of each line of sums.
        spans: by day, a place before its first line, and one behind its last.
        early: by the id of a request that may have begun in an earlier month, its lines.
        broken: number of lines that cannot be read.
    """

    parts: list[tuple[str, str]] = field(default_factory=list)
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
    if broken := sum(month.state.broken for month in months):
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
        self._paths = {end: directory / f"{name}.{end}" for end in ("jsonl", "sent", _KEPT)}
        self._name = name
        self.state = _State()
        self._parts: dict[tuple[str, str], bytes] = {}  # what is kept, by day and property
        self._sums = Sums()  # what is not

    def catch_up(self, *, is_checked: bool) -> None:
        """Add up what is not added up yet, and keep the sums where that was much."""
        self.state, self._parts = self._kept()
        if not all(self._is_same(end, is_checked=is_checked) for end in ("jsonl", "sent")):
            self.state, self._parts = _State(), {}
        before = self.state.jsonl.at + self.state.sent.at
        # Lines of requests that are over come first: what was sent before one is in the other file
        # by then. So what is kept never has a request over whose call it has not seen.
        over = self._add_over()
        self._add_sent(over)
        if self.state.jsonl.at + self.state.sent.at - before >= _WORTH_KEEPING:
            self._keep()
        self._add_over(is_last=True)  # what is over meanwhile is not unfinished

    def add_to(self, found: Sums, later: Iterable[Month], by: By, since: str) -> None:
        """Add the sums by one property of the lines at or after `since` to others."""
        day = since[:10]
        for at, part in self._parts.items():
            if at[0] >= since and at[1] == counted(by):  # a day is before each of its own times
                found.add_day(at[0], by, _names().validate_json(part))
        for at_day, properties in self._sums.days().items():
            if at_day >= since:
                found.add_day(at_day, by, properties[counted(by)])
        if len(since) > len(day) and day in self.state.spans:
            for line in self._lines_of(day):
                if since <= line.get("at", "") and line.get("at", "")[:10] == day:
                    found.add(line)
        for name, one in self.state.open.items():
            ended = sum(month.state.early.get(name, 0) for month in later)
            if one.line.get("at", "") < since or (ended and not one.is_over):
                continue
            found.add({**one.line, "wire": [*one.line.get("wire", ()), *one.pending[ended:]]})

    def _lines_of(self, day: str) -> Iterator[dict[str, Any]]:
        """The lines of a day that are added up, and maybe some of others."""
        start, end = self.state.spans[day]
        with jsonlines.opened(self._paths["jsonl"]) as file:
            for _, block in jsonlines.blocks(file, start, end, is_last=True):
                for line in filter(None, map(_parsed, jsonlines.lines_of_block(block))):
                    if not (line.pop("pending", None) and line.get("id") in self.state.open):
                        yield line

    def _add_over(self, *, is_last: bool = False) -> set[int]:
        """Add the lines of requests that are over; return hashes of their ids."""
        state = self.state
        over: set[int] = set()
        for at, block in self._new("jsonl", is_last=is_last):
            days = set()
            for line in map(_parsed, jsonlines.lines_of_block(block)):
                if line is None:
                    state.broken += 1
                    continue
                day, name = line.get("at", "")[:10], line.get("id", "")
                days.add(day)
                over.add(hash(name))  # the ids themselves take twice the memory
                if name in state.open or "pending" in line or line.get("operation") == "late":
                    self._add_odd(name, line)
                else:
                    self._sums.add(line)
                    if day.endswith("-01") and _month_of_start(line) < self._name:
                        state.early[name] = 1
            for day in days:
                state.spans[day] = (state.spans.get(day, (at,))[0], at + len(block))
        return over

    def _add_odd(self, name: str, line: dict[str, Any]) -> None:
        """Add a line of a request of which calls are in flight, or were."""
        state, announced = self.state, line.pop("pending", None)
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

    def _add_sent(self, over: set[int]) -> None:
        """Add the calls of requests that are not over; `over`: hashes of the ids of the others."""
        for _, block in self._new("sent"):
            # Most are over, and their id says so; what is spelled otherwise is read whole.
            names = _ID.findall("\n" + block.decode(errors="replace"))
            if len(names) == block.count(b"\n") and over.issuperset(map(hash, names)):
                continue
            for raw in jsonlines.lines_of_block(block):
                found = _ID.match("\n" + raw.decode(errors="replace"))
                if found and hash(found[1]) in over:
                    continue
                line = _parsed(raw)
                if line is None:
                    self.state.broken += 1
                elif hash(name := line.get("id", "")) not in over:
                    pending = line.pop("pending", [])
                    self.state.open[name] = _Open(line, pending, is_over=False)

    def _new(self, end: str, *, is_last: bool = False) -> Iterator[tuple[int, bytes]]:
        """Portions of the lines that are not added up yet, and where each begins.

        With `is_last` a line that has no end yet is among them, and nothing is added afterwards.
        """
        place: _Place = getattr(self.state, end)
        with contextlib.suppress(FileNotFoundError), jsonlines.opened(self._paths[end]) as file:
            place.seen = _identity(file)
            for at, block in jsonlines.blocks(file, place.at, place.seen[1], is_last=is_last):
                yield at, block
                place.at = at + len(block)
                place.checksum = zlib.adler32(block, place.checksum)
            place.edges = _edges(file, place.at)

    def _is_same(self, end: str, *, is_checked: bool) -> bool:
        """Whether a file is the one that was added up."""
        place: _Place = getattr(self.state, end)
        with contextlib.suppress(FileNotFoundError), jsonlines.opened(self._paths[end]) as file:
            seen = _identity(file)
            if seen == place.seen:
                return True
            if seen[1] < place.at or _edges(file, place.at) != place.edges:
                return False
            is_longer = seen[0] == place.seen[0] and seen[1] > place.seen[1]
            # A copy, or one that was only touched: reading costs a thirtieth of adding up.
            return (is_longer and not is_checked) or _checksum(file, place.at) == place.checksum
        return place == _Place()

    def _kept(self) -> tuple[_State, dict[tuple[str, str], bytes]]:
        """What is kept; nothing where it cannot be used."""
        with contextlib.suppress(OSError, ValueError):  # none, or not whole
            with jsonlines.opened(self._paths[_KEPT]) as file:
                checksum, _, raw = file.read().partition(b"\n")
            known, *parts = raw.split(b"\n")
            if int(checksum, 16) == zlib.crc32(raw):
                state = _states().validate_json(known)
                return state, dict(zip(state.parts, parts, strict=True))
        return _State(), {}

    def _keep(self) -> None:
        for day, properties in self._sums.days().items():
            for by, fresh in properties.items():
                kept = self._parts.get((day, by), b"{}")
                add_names(names := _names().validate_json(kept), fresh)
                self._parts[day, by] = _names().dump_json(names)
        self._sums, self.state.parts = Sums(), list(self._parts)
        raw = b"\n".join((_states().dump_json(self.state), *self._parts.values()))
        try:
            write_private(self._paths[_KEPT], b"%08x\n%b" % (zlib.crc32(raw), raw))
        except OSError as error:  # it takes longer each time, and is right
            _log.info("The sums of the ledger cannot be kept (%s).", error)


@functools.cache
def _states() -> TypeAdapter[_State]:
    return TypeAdapter(_State)


@functools.cache
def _names() -> TypeAdapter[dict[str, Sum]]:
    return TypeAdapter(dict[str, Sum])


@functools.cache
def _validator() -> SchemaValidator:
    """Takes from a line what is added up; creating the rest would double the time."""

    def typed(**fields: core_schema.CoreSchema) -> core_schema.CoreSchema:
        field = functools.partial(core_schema.typed_dict_field, required=False)
        return core_schema.typed_dict_schema({name: field(one) for name, one in fields.items()})

    text, count = core_schema.str_schema(), core_schema.int_schema()
    number = core_schema.float_schema(allow_inf_nan=False)
    # Larger ones are not prices, and `Sum` could not count their millionths.
    dollars = core_schema.float_schema(allow_inf_nan=False, ge=-1e18, le=1e18)
    nullable, listed = core_schema.nullable_schema, core_schema.list_schema
    name = nullable(text)
    usage = nullable(typed(prompt_tokens=count, completion_tokens=count))
    attempt = typed(
        model=name, outcome=name, seconds=number, usage=usage, cost_usd=nullable(dollars),
        estimated=core_schema.bool_schema(),
    )  # fmt: skip
    line = typed(
        at=text, id=text, operation=name, route=name, agent_type=name, tenant=name, hits=count,
        seconds=number, wire=listed(attempt), pending=listed(attempt),
    )  # fmt: skip
    return SchemaValidator(line, CoreConfig(cache_strings="none"))  # a cache takes a third longer


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


def _identity(file: BinaryIO) -> tuple[int, int, int]:
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_size, found.st_mtime_ns


def _edges(file: BinaryIO, end: int) -> int:
    """A checksum of the first and the last bytes before a place."""
    file.seek(0)
    first = file.read(min(_EDGE, end))
    file.seek(max(0, end - _EDGE))
    return zlib.crc32(first + file.read(min(_EDGE, end)))


def _checksum(file: BinaryIO, end: int) -> int:
    """The checksum of the bytes before a place."""
    file.seek(0)
    found = 1
    while block := file.read(min(end - file.tell(), 2**20)):
        found = zlib.adler32(block, found)
    return found
