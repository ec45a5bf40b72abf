"""Reads a log of observations and actions: CSV with a header, or JSON lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.gmn.learning.ends import require_ends
from orchestrator.gmn.learning.smoothing import Log
from orchestrator.gmn.model import nfc
from orchestrator.gmn.words.wording import counted
from orchestrator.parsing.spelling import nearest
from orchestrator.types.work import look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.model import Variable

#: The most rows of a log.
MOST_STEPS = 250_000
MOST_COLUMNS = 50_000
MOST_BYTES = 64 * 1024 * 1024
_MOST_OF_A_CELL = 131_072  # characters; what the csv module allows by itself
EPISODE = "episode"
_SEPARATORS = ",;\t|"
_STATED = re.compile(r"sep=(.)\r?\n")  # the first line of a spreadsheet's CSV
_LINE = re.compile(r"\r\n?|\n")  # a JSON string may hold what else ends a line
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?")
#: A column and the line that first names it.
Header = list[tuple[str, int]]

#: Names that could mean the column `episode`, beside its misspellings.
_EPISODE = re.compile(r"episodes?[ _.-]?(?:id|nr|num(?:ber)?|no|index|idx)?", re.IGNORECASE)

#: A line of the file and its cells.
Row = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class ReadLog:
    """A log and what was not taken as it stands.

    Attributes:
        episodes: how many it holds.
        notes: what was ignored or taken as not observed, in words.
    """

    log: Log
    episodes: int
    notes: tuple[str, ...]


def read_log(data: bytes, model: Compiled) -> ReadLog:
    """Read a log of `model`: a column for each variable, a row for each step.

    Cells are labels or indices from 0; an empty one was not observed. A column `episode`, filled
    in every row, splits.
    An action is taken after the observation of its row. States may be recorded.

    Raises: ValueError: it is not such a log; the message names the line and what to write there.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"holds more than {MOST_BYTES:,} bytes; split it, or keep fewer columns")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        words = f"line {line}: byte {data[error.start]:#04x} is not UTF-8"
        raise ValueError(f"{words}; save it as UTF-8, for example with iconv") from None
    if not text.strip():
        raise ValueError(f"is empty; {_expected(model)}")
    if text.lstrip()[0] == "[":
        raise ValueError("is a JSON array; write one object a line, for example with jq -c '.[]'")
    if (at := text.find("\0")) >= 0:
        words = f"line {text.count(chr(10), 0, at) + 1}: a NUL character, as in UTF-16"
        raise ValueError(f"{words}; save it as UTF-8 (iconv -f UTF-16LE -t UTF-8), or remove it")
    header, rows = (_json_lines if text.lstrip()[0] == "{" else _csv)(text, model)
    columns = _Columns(model, header)
    for line, cells in rows:
        columns.add(line, cells)
    return columns.read()


def _expected(model: Compiled) -> str:
    names = [v.name for v in (*model.observations, *_doing(model))]
    return f"expected a header such as {','.join(names)} and a row for each step"


def _doing(model: Compiled) -> list[Variable]:
    """The actions that have a choice; others need no column."""
    return [u for u in model.actions if u.n > 1]


def _known(model: Compiled) -> list[Variable]:
    return [*model.observations, *model.states, *model.actions]


def _csv(text: str, model: Compiled) -> tuple[Header, Iterator[Row]]:
    """Header and rows; the separator is the one with which the header names most variables, or
    where it names none, has most cells. A first line sep=; states it.
    """
    separators = _SEPARATORS
    if stated := _STATED.match(text):
        # A blank line in its place, so that lines keep their numbers.
        separators, text = stated[1], "\n" + text[stated.end() :]
    names = {v.name for v in _known(model)} | {EPISODE}

    def fit(separator: str) -> tuple[int, int]:
        header: list[str] = []
        with suppress(ValueError):  # with another separator than its own, a quoted cell is not CSV
            header = next(_cells(text, separator))[1]
        return sum(nfc(cell.strip()) in names for cell in header), len(header)

    rows = _cells(text, max(separators, key=fit))
    line, cells = next(rows)
    return [(cell, line) for cell in cells], rows


def _cells(text: str, separator: str) -> Iterator[Row]:
    csv.field_size_limit(_MOST_OF_A_CELL)  # of the process: other readers set their own
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    line = 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        if "field limit" in str(error):
            words = f"line {line}: a cell of more than {_MOST_OF_A_CELL:,} characters"
            raise ValueError(f"{words}; close its quote, or leave its column out") from None
        raise ValueError(f"line {line}: is not CSV: {error}; close every quote") from None


def _json_lines(text: str, model: Compiled) -> tuple[Header, Iterator[Row]]:
    """The same of JSON objects, one a line; the keys of all of them are the header."""
    found: list[tuple[int, dict[str, object]]] = []
    header: dict[str, int] = {}
    for line, said in enumerate(_LINE.split(text), 1):
        if not said.strip():
            continue
        look(4)
        try:
            # An object is a tuple of pairs, which keeps keys that are there twice.
            value = json.loads(said, object_pairs_hook=tuple, parse_int=str)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {line}: is not JSON: {error}; write an object a line") from None
        if not isinstance(value, tuple):
            words = f"line {line}: expected an object; {_expected(model)}"
            raise ValueError(words)  # noqa: TRY004  of the file, not of an argument
        found.append((line, dict(value)))
        keys = Counter(key for key, _ in value)
        if repeated := next((key for key in keys if keys[key] > 1), None):
            raise ValueError(f"line {line}: {repeated[:60]!r} is there twice; keep one")
        for key in keys:
            header.setdefault(key, line)
    rows = ((line, [_said(row.get(key), line, key) for key in header]) for line, row in found)
    return list(header.items()), rows


def _said(value: object, line: int, key: str) -> str:
    if isinstance(value, tuple | list):
        words = f"line {line}: {key} is not one value; write a label or an index"
        raise ValueError(words)  # noqa: TRY004  of the file, not of an argument
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


@dataclass(slots=True)
class _Column:
    """Where a variable is in a row, and what its cells mean."""

    variable: Variable
    at: int
    known: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = self.variable.names
        self.known = {"": -1}
        if not any(map(_NUMBER.fullmatch, names)):  # else 1 could be a label or an index
            self._add((str(i), i) for i in range(len(names)))
        self._add((name, i) for i, name in enumerate(names))

    def _add(self, spelled: Iterable[tuple[str, int]]) -> None:
        for name, index in spelled:
            if name.isdecimal():  # programs that know no missing integer write 3 as 3.0
                self.known.setdefault(f"{name}.0", index)
            self.known[name] = index

    def read(self, cell: str, line: int) -> int:
        index = self.known.get(cell)
        if index is None:
            index = self.known.get(nfc(cell.strip()))
        if index is None:
            raise ValueError(f"line {line}: {self._refused(cell.strip())}")
        return index

    def _refused(self, cell: str) -> str:
        names = self.variable.names
        if _NUMBER.fullmatch(cell) and "0" in self.known:
            most = len(names) - 1
            return f"{self.variable.name} is {cell[:60]}; write a label, or an index of 0 to {most}"
        near = nearest(cell, names)
        shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        hint = f"did you mean {near!r}?" if near else f"it has {shown}"
        words = f"{cell[:60]!r} is not a label of {self.variable.name}; {hint}"
        return f"{words}; leave the cell empty where nothing was recorded"


class _Columns:
    """Collects the rows of a log."""

    def __init__(self, model: Compiled, header: Header) -> None:
        self.model = model
        self.header = [nfc(name.strip()) for name, _ in header]
        self.notes: list[str] = []
        self._require_header([line for _, line in header])
        self.columns = [
            _Column(v, self.header.index(v.name)) for v in _known(model) if v.name in self.header
        ]
        self.episode = self.header.index(EPISODE) if EPISODE in self.header else None
        if EPISODE in {v.name for v in _known(model)}:
            self.episode = None
        self.rows: list[list[int]] = []
        self.lines: list[int] = []
        self.starts: list[bool] = []
        self._episodes: set[str] = set()
        self._last: str | None = None

    def _require_header(self, lines: Sequence[int]) -> None:
        if len(self.header) > MOST_COLUMNS:
            raise ValueError(f"line {lines[0]}: more than {MOST_COLUMNS:,} columns; keep fewer")
        names = {EPISODE, *(v.name for v in _known(self.model))}
        often = Counter(filter(None, self.header))
        extra: list[str] = []
        for name, line in zip(self.header, lines, strict=True):
            if often[name] > 1:
                raise ValueError(f"line {line}: column {name[:60]!r} is there twice; keep one")
            if name not in names:
                self._require_far(name, line)
                extra.append(name[:60] or "(without a name)")
        missing = [v.name for v in _doing(self.model) if v.name not in often]
        seen = [v.name for v in self.model.observations if v.name in often]
        if missing or not seen:
            what = f"action {missing[0]}" if missing else "any observation"
            raise ValueError(f"line {lines[0]}: no column for {what}; {_expected(self.model)}")
        if extra:
            extra = list(dict.fromkeys(extra))
            shown = ", ".join(extra[:8]) + (", …" if len(extra) > 8 else "")
            self.notes.append(f"columns that are not variables of the model are ignored: {shown}")
        unseen = [v.name for v in self.model.observations if v.name not in self.header]
        if unseen:
            self.notes.append(f"no column for {', '.join(unseen)}: taken as not observed")

    def _require_far(self, name: str, line: int) -> None:
        """Raises: ValueError: a column that would be ignored nearly has the name of a known one."""
        near = nearest(name, [EPISODE, *(v.name for v in _known(self.model))])
        if near is None and EPISODE not in self.header and _EPISODE.fullmatch(name):
            near = EPISODE
        if near is not None:
            words = f"line {line}: column {name[:60]!r} is not a variable"
            if near in self.header:
                raise ValueError(f"{words}, and {near!r} is there too; keep one, or rename it")
            raise ValueError(f"{words}; did you mean {near}?")

    def add(self, line: int, cells: Sequence[str]) -> None:
        if len(self.lines) >= MOST_STEPS:
            raise ValueError(f"line {line}: more than {MOST_STEPS:,} steps; split the log")
        if len(cells) != len(self.header):
            words = f"{counted(str(len(cells)), 'cell')}, the header has {len(self.header)}"
            raise ValueError(
                f"line {line}: {words}; write an empty cell where nothing was recorded"
            )
        look(len(self.columns))
        self.rows.append([column.read(cells[column.at], line) for column in self.columns])
        self.lines.append(line)
        self.starts.append(self._begins(cells, line))

    def _begins(self, cells: Sequence[str], line: int) -> bool:
        here = "" if self.episode is None else cells[self.episode].strip()
        if not here and self.episode is not None:
            raise ValueError(f"line {line}: {EPISODE} is empty; write it in every row")
        begins = here != self._last
        if begins and here in self._episodes:
            words = f"line {line}: episode {here!r} goes on after another one"
            raise ValueError(f"{words}; sort the log by episode, or give each its own number")
        self._episodes.add(here)
        self._last = here
        return begins

    def read(self) -> ReadLog:
        if not self.rows:
            raise ValueError("has a header and no row; write a row for each step")
        table = np.array(self.rows, dtype=np.int64).reshape(len(self.rows), -1)
        of = {column.variable.name: table[:, i] for i, column in enumerate(self.columns)}
        starts = np.array(self.starts)
        blank = np.full(len(table), -1)

        def together(variables: Sequence[Variable]) -> NDArray[np.int64]:
            return np.stack([of.get(v.name, blank) for v in variables], axis=1)

        log = Log(
            together(self.model.observations),
            together(self.model.actions),
            together(self.model.states),
            starts,
            np.array(self.lines),
        )
        self._require_actions(log)
        require_ends(self.model, log)
        return ReadLog(log, len(self._episodes), tuple(self.notes))

    def _require_actions(self, log: Log) -> None:
        """Only the last row of an episode may leave out what was done."""
        goes_on = np.append(~log.starts[1:], False)
        for k, action in enumerate(self.model.actions):
            blank = np.flatnonzero((log.actions[:, k] < 0) & goes_on)
            if action.n > 1 and blank.size:
                raise ValueError(
                    f"line {self.lines[blank[0]]}: {action.name} is empty, and the episode goes on;"
                    " write what was done, or begin another episode in the next row"
                )
