"""Rows of JSON lines, CSV and Parquet, one at a time, however long the file is.

A row that cannot be read is a row with its fault, never the end of the batch.
"""

from __future__ import annotations

import codecs
import csv
import functools
import gzip
import io
import itertools
import json
import math
import re
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from orchestrator.parsing.bounds import each_once
from orchestrator.parsing.scalars import too_many_digits
from orchestrator.types.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from _csv import Reader

#: A longer line, or cell, is not read.
MOST_ROW_BYTES = 8 * 2**20
_STEP = 2**16
_PARQUET_ROWS = 64
_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
_SEPARATOR = re.compile(r"sep=([,;\t|])\s*", re.IGNORECASE)  # Excel's, above the names
_QUOTED = re.compile(r'"[^"]*"')
_LONE = re.compile(r"[\ud800-\udfff\0]")
_GZIP = b"\x1f\x8b"
_DAMAGES = (EOFError, zlib.error, gzip.BadGzipFile)
_DAMAGED = "the compressed file is damaged from here on"
_ONCE = functools.partial(each_once, words="is there twice")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the input.

    Attributes:
        line: where it begins, from 1: a line of the file, or the number of a row of Parquet.
        data: its fields; a str stands for the one field that the operation needs most. Of a row
            that cannot be read, what is there of it, to know it by.
        fault: why it cannot be read; empty where it can.
        is_text: whether every value is text, as in CSV.
    """

    line: int
    data: Any
    fault: str = ""
    is_text: bool = False


class RowFile:
    """A file of rows; iterate once, then close.

    Attributes:
        columns: the names that all rows share, None where each has its own, or none can be read.
    """

    def __init__(self, name: str) -> None:
        """Open a file, or standard input (JSON lines) for ``-``.

        Raises: ConfigError: it cannot be read, is of no known kind, or names its columns wrongly;
            MissingExtraError: it is Parquet, and the extra is not installed.
        """
        self.name = name
        zipped = name.lower().endswith(".gz")
        path = Path(name[:-3] if zipped else name)
        self._kind = ".jsonl" if name == "-" else path.suffix.lower()
        self._size, self._rows_done, self._is_regular = 0, 0, False
        self._raw = self._opened()
        try:
            self._require_rows(path.suffix, zipped=zipped)
            self._file: Any = gzip.GzipFile(fileobj=self._raw) if zipped else self._raw
            self._parquet = self._parquet_file() if self._kind == ".parquet" else None
            self._rows = self._read()
        except BaseException:
            self.close()
            raise

    def _opened(self) -> BinaryIO:
        if self.name == "-":
            if sys.stdin is None:
                raise ConfigError("-", "standard input is closed", fix="Name a file.")
            return sys.stdin.buffer
        try:
            found = Path(self.name).stat()
            self._is_regular = stat.S_ISREG(found.st_mode)
            self._size = found.st_size if self._is_regular else 0
            return Path(self.name).open("rb")
        except (OSError, ValueError) as error:
            problem = getattr(error, "strerror", None) or str(error)
            raise ConfigError(self.name, problem, fix="Name a file, or - for stdin.") from None

    def _require_rows(self, suffix: str, *, zipped: bool) -> None:
        """Raises: ConfigError: the file is of no known kind, or each of its lines would fail."""
        if self._kind not in _SUFFIXES:
            known = ", ".join(_SUFFIXES)
            fix = f"Name a file that ends in {known}, also with .gz, or - for JSON lines on stdin."
            raise ConfigError(self.name, f"rows in {suffix or 'a file without suffix'}", fix=fix)
        if not self._is_regular:
            return
        begins = self._raw.read(2)
        self._raw.seek(0)
        if zipped and begins not in (_GZIP, b""):
            raise ConfigError(self.name, "it is not compressed", fix="Take .gz off its name.")
        if begins == _GZIP and not zipped:
            fix = "Give it a name that ends in .gz, or decompress it."
            raise ConfigError(self.name, "it is compressed", fix=fix)
        if begins in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise ConfigError(self.name, "it is UTF-16", fix="Save it as UTF-8.")

    def _parquet_file(self) -> Any:
        try:
            import pyarrow  # noqa: PLC0415  an extra
            import pyarrow.parquet  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise MissingExtraError("Reading Parquet", "parquet") from error
        try:
            file = pyarrow.parquet.ParquetFile(self._raw)
        except (pyarrow.ArrowException, OSError) as error:
            fix = "Write it again, or name a file of JSON lines or CSV."
            raise ConfigError(self.name, f"is not Parquet: {error}", fix=fix) from None
        _refuse_twice(self.name, file.schema_arrow.names)
        return file

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def close(self) -> None:
        """Close the file. Standard input, and a pipe in which a thread may wait, stay open."""
        if self._is_regular:
            self._raw.close()

    @property
    def share(self) -> float | None:
        """How much of it is read, 0 to 1; None where its length is not known."""
        if self._parquet is not None:
            return self._rows_done / max(1, int(self._parquet.metadata.num_rows))
        return min(1.0, self._raw.tell() / self._size) if self._size else None

    def _read(self) -> Iterator[Row]:
        self.columns: list[str] | None = None
        if self._parquet is not None:
            self.columns = self._parquet.schema_arrow.names
            return self._of_parquet(self._parquet)
        return read_jsonl(self._file) if self._kind in (".jsonl", ".ndjson") else self._of_csv()

    def _of_csv(self) -> Iterator[Row]:
        # Kept, because a wrapper that is collected closes the file below it.
        self._text = io.TextIOWrapper(
            self._file, encoding="utf-8-sig", errors="surrogateescape", newline=""
        )
        delimiter = "\t" if self._kind == ".tsv" else ""
        self.columns, rows = read_csv(self._text, delimiter=delimiter)
        return rows

    def _of_parquet(self, file: Any) -> Iterator[Row]:
        try:
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                for data, fault in _parquet_rows(_with_times_as_text(batch)):
                    self._rows_done += 1
                    yield Row(self._rows_done, data, fault)
        except OSError as error:
            yield Row(self._rows_done + 1, "", f"the file is damaged from here on: {error}")


def _with_times_as_text(batch: Any) -> Any:
    """A batch of Arrow; what JSON has no form for, times and decimals, is text (ISO 8601)."""
    import pyarrow  # noqa: PLC0415  it is there: the file is read with it

    is_of = pyarrow.types
    fields = [
        field.with_type(pyarrow.string())
        if any(test(field.type) for test in (is_of.is_timestamp, is_of.is_date, is_of.is_time,
                                             is_of.is_decimal))
        else field
        for field in batch.schema
    ]  # fmt: skip
    return batch.cast(pyarrow.schema(fields))


def _parquet_rows(batch: Any) -> Iterator[tuple[Any, str]]:
    """The rows of a batch of Arrow, each with its fault or an empty str."""
    try:
        yield from ((data, "") for data in batch.to_pylist())
    except ValueError as error:  # a time in a list that is more exact than Python's
        if batch.num_rows == 1:
            yield "", f"the row is not read: {error}"
        else:
            yield from (
                row for n in range(batch.num_rows) for row in _parquet_rows(batch[n : n + 1])
            )


def _refuse_twice(place: str, names: list[str]) -> None:
    """Raises: ConfigError: two columns have one name."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        problem = f"the column {twice!r} is there twice"
        raise ConfigError(place, problem, fix="Give each column a name of its own.")


def given_rows(rows: Iterable[Mapping[str, Any] | str]) -> Iterator[Row]:
    """Rows that a program gives: mappings, or one str each."""
    return (Row(number, row) for number, row in enumerate(rows, 1))


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Lines without their end, and whether a line is longer than `MOST_ROW_BYTES`."""
    while line := file.readline(MOST_ROW_BYTES + 1):
        is_long = len(line) > MOST_ROW_BYTES and not line.endswith(b"\n")
        while is_long and (rest := file.readline(_STEP)) and not rest.endswith(b"\n"):
            pass
        yield line, is_long


def read_jsonl(file: BinaryIO) -> Iterator[Row]:
    """Rows of JSON lines; lines without anything in them are passed over."""
    number = 0
    try:
        for number, (line, is_long) in enumerate(_lines(file), 1):
            raw = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if is_long:
                words = f"the line is longer than {MOST_ROW_BYTES:,} bytes, the most that is read"
                yield Row(number, raw.hex(), words)
            elif raw.strip():
                yield _json_row(number, raw.strip())
    except _DAMAGES as error:
        yield Row(number + 1, "", f"{_DAMAGED}: {error}")


def _json_row(number: int, raw: bytes) -> Row:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        words = f"the line is not UTF-8: byte {raw[error.start]:#04x} at {error.start}"
        return Row(number, raw.hex(), words)
    try:
        data = read_json(text)
    except json.JSONDecodeError as error:
        if text in ("[", "{"):
            return Row(number, text, "the line is not JSON by itself; write each row on one line")
        return Row(number, text, f"the line is not JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:
        return Row(number, text, f"the line is not read: {error}")
    if not isinstance(data, dict | str):
        words = f"the line is a JSON {type(data).__name__}, expected an object or a string"
        return Row(number, text, words)
    return Row(number, data)


def read_json(text: str) -> Any:
    """The value of a JSON text. Raises: ValueError, RecursionError: it is not JSON, which has each
    key once and numbers that are finite."""
    return json.loads(text, object_pairs_hook=_ONCE, parse_constant=_no_number,
                      parse_float=_finite, parse_int=_readable)  # fmt: skip


def _readable(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(too_many_digits(text)) from None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text} is more than a number of JSON can be read as")
    return number


def read_csv(
    text: io.TextIOWrapper, *, delimiter: str = ""
) -> tuple[list[str] | None, Iterator[Row]]:
    """The names in the first line of CSV, None where it has no line; and its rows, one at a time.

    Empty cells are not there, empty lines passed over. Without `delimiter` it is what a first line
    ``sep=;`` says, else ``;`` or a tab where the names hold that and no comma, else a comma.
    Columns at the end without a name, as spreadsheets write them, are left out where they are
    empty. Bytes that are not UTF-8 are expected as lone surrogates.

    Raises: ConfigError: a name is missing, there twice, or not UTF-8.
    """
    csv.field_size_limit(MOST_ROW_BYTES)
    above = 0
    try:
        first = next(text, "")
        if said := _SEPARATOR.fullmatch(first):
            above, delimiter, first = 1, said[1], next(text, "")
        between = delimiter or _between(first)
        reader = csv.reader(itertools.chain([first], text), delimiter=between, strict=True)
        names = _csv_names(reader)
    except _DAMAGES as error:
        return None, iter([Row(above + 1, "", f"{_DAMAGED}: {error}")])
    return names if first else None, _csv_rows(reader, names, above)


def _csv_rows(reader: Reader, names: list[str], lines_above: int) -> Iterator[Row]:
    before = lines_above + reader.line_num
    try:
        while True:
            try:
                csv.field_size_limit(MOST_ROW_BYTES)  # of the process: other readers set their own
                cells = next(reader, None)
                if cells is None:
                    return
                if any(cells):
                    yield _csv_row(before + 1, names, cells)
            except csv.Error as error:
                yield Row(before + 1, "", f"the row is not CSV: {_csv_problem(error)}")
            before = lines_above + reader.line_num
    except _DAMAGES as error:
        yield Row(before + 1, "", f"{_DAMAGED}: {error}")


def _between(names: str) -> str:
    """What stands between the names of a line, as far as they are not in quotes."""
    bare = _QUOTED.sub("", names)
    return next((one for one in ",;\t" if one in bare), ",")


def _csv_names(reader: Iterator[list[str]]) -> list[str]:
    """The names of the columns, without empty ones at the end.

    Raises: ConfigError: as `read_csv`.
    """
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        fix = "Close each quote, and write a quote inside of quotes twice."
        raise ConfigError("CSV", f"the line of names: {_csv_problem(error)}", fix=fix) from None
    while names and not names[-1]:
        names.pop()
    if any(_LONE.search(name) for name in names):
        fix = "Save it as UTF-8 (in a spreadsheet: CSV UTF-8)."
        raise ConfigError("CSV", "the names of the columns are not UTF-8", fix=fix)
    if "" in names:
        raise ConfigError("CSV", "a column has no name", fix="Give each column a name of its own.")
    _refuse_twice("CSV", names)
    return names


def _csv_problem(error: csv.Error) -> str:
    if str(error) == "unexpected end of data":
        return "a quote in it is never closed, so that nothing after it is read"
    return str(error)


def _csv_row(line: int, names: list[str], cells: list[str]) -> Row:
    text = "\n".join(cells)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) & 0xFF
        return Row(line, text, f"the row is not UTF-8: it holds the byte {byte:#04x}")
    while len(cells) > len(names) and not cells[-1]:
        cells.pop()
    if len(cells) != len(names):
        return Row(line, text, f"the row has {len(cells)} cells, and there are {len(names)} names")
    return Row(line, {n: c for n, c in zip(names, cells, strict=True) if c}, is_text=True)
