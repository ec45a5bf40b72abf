"""Rows of strangers: every one is read, or is a row that says why not, and where."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import UserDict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client.batch import rows as reading
from orchestrator.client.batch.operations import OPERATIONS, PreparedRow, prepared
from orchestrator.client.batch.rows import Row, RowFile, read_jsonl
from orchestrator.types.errors import ConfigError, MissingExtraError


def jsonl(raw: bytes) -> list[Row]:
    return list(read_jsonl(io.BytesIO(raw)))


def of_file(directory: Path, name: str, raw: bytes) -> list[Row]:
    path = directory / name
    path.write_bytes(raw)
    file = RowFile(str(path))
    try:
        found = list(file)
        assert file.share == 1 or not raw
    finally:
        file.close()
    return found


def refusal(data: Any, operation: str = "generate", **more: Any) -> str:
    made = prepared(Row(1, data, **more), operation, shared={}, carry=False)
    assert made.outcome is not None, made
    return str(made.outcome.body["error"]["message"])


def request(
    data: Any, operation: str = "generate", *, carry: bool = False, **more: Any
) -> PreparedRow:
    made = prepared(Row(1, data, **more), operation, shared={}, carry=carry)
    assert made.request is not None, made.outcome
    return made


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{", "not JSON"),
        (b"[1]", "a JSON list, expected an object or a string"),
        (b"null", "NoneType"),
        (b'{"prompt": "a", "prompt": "b"}', "'prompt' is there twice"),
        (b'{"a": {"x": 1, "x": 2}}', "'x' is there twice"),
        (b'{"prompt": "\xff"}', "not UTF-8: byte 0xff at 12"),
        (b'{"seed": NaN}', "NaN is not JSON"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "not read"),
        (b"[" * 200_000, "not read"),
        (b'"' + b"x" * (reading.MOST_ROW_BYTES + 100_000) + b'"', "longer than"),
    ],
)
def test_a_broken_line_is_a_row_with_its_line_number(raw: bytes, words: str) -> None:
    first, broken, last = jsonl(b'\xef\xbb\xbf{"prompt": "one"}\r\n\n  \n' + raw + b'\n"last"')
    assert (first.line, first.data) == (1, {"prompt": "one"})
    assert broken.line == 4
    assert words in broken.fault
    assert words in refusal(broken.data, fault=broken.fault)
    assert (last.line, last.data, last.fault) == (5, "last", "")


@given(st.binary(max_size=200))
def test_no_bytes_end_the_reading_of_json_lines(raw: bytes) -> None:
    found = jsonl(raw + b'\n{"prompt": "last"}\n')
    assert found[-1].data == {"prompt": "last"}
    lines = (raw.removeprefix(b"\xef\xbb\xbf") + b"\n").split(b"\n")
    assert len(found) == 1 + sum(bool(line.strip()) for line in lines)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)


@given(st.lists(st.tuples(CELL, CELL), max_size=6))
def test_csv_that_python_writes_is_read_back(cells: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("prompt", "id"), *cells])
    raw = io.BytesIO(text.getvalue().encode())
    names, rows = reading.read_csv(io.TextIOWrapper(raw, newline="", encoding="utf-8"))
    found = list(rows)
    assert names == ["prompt", "id"]
    wanted = [
        {n: c for n, c in zip(("prompt", "id"), pair, strict=True) if c}
        for pair in cells
        if any(pair)
    ]
    assert [row.data for row in found] == wanted
    assert not any(row.fault for row in found)


def test_a_broken_row_of_csv_is_a_row(tmp_path: Path) -> None:
    raw = b'\xef\xbb\xbfid,prompt\n1,"two\nlines"\n2\n3,a,b\n\n4,\xff\n5,fine\n'
    found = of_file(tmp_path, "in.csv", raw)
    assert [row.line for row in found] == [2, 4, 5, 7, 8]
    assert found[0].data == {"id": "1", "prompt": "two\nlines"}
    assert [bool(row.fault) for row in found] == [False, True, True, True, False]
    assert "2 names" in found[1].fault
    assert "0xff" in found[3].fault


def test_csv_of_other_habits_is_read(tmp_path: Path) -> None:
    assert of_file(tmp_path, "in.csv", b"id;prompt\r\n1;a, b\r\n")[0].data["prompt"] == "a, b"
    assert of_file(tmp_path, "in.tsv", b"id\tprompt\n1\ta, b\n")[0].data["prompt"] == "a, b"
    assert of_file(tmp_path, "in.csv", b"id\tprompt\n1\ta, b\n")[0].data["prompt"] == "a, b"
    assert of_file(tmp_path, "in.csv", b'"a, b";prompt\n1;c, d\n')[0].data["prompt"] == "c, d"
    assert of_file(tmp_path, "in.csv", b"") == []
    for head in (b"id,id", b"id,,prompt"):
        with pytest.raises(ConfigError, match="column"):
            of_file(tmp_path, "in.csv", head + b"\n1,2\n")


def test_an_endless_quote_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_ROW_BYTES", 1000)
    try:
        found = of_file(tmp_path, "in.csv", b'prompt\n"' + b"x\n" * 2000 + b"end\n")
    finally:
        csv.field_size_limit(131_072)
    assert "not CSV" in found[0].fault


def test_compressed_rows_are_read_and_a_damaged_end_is_a_row(tmp_path: Path) -> None:
    zipped = gzip.compress(b'{"prompt": "a"}\n' * 5000)
    assert len(of_file(tmp_path, "in.jsonl.gz", zipped)) == 5000
    cut = of_file(tmp_path, "in.jsonl.gz", zipped[:-20])
    assert "damaged" in cut[-1].fault


def test_parquet_is_read_in_pieces_and_damage_is_said(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "in.parquet"
    data = {"prompt": [f"p{n}" for n in range(1000)], "seed": [None, 3] * 500}
    parquet.write_table(pyarrow.table(data), path)
    file = RowFile(str(path))
    found = list(file)
    file.close()
    assert [row.line for row in found] == list(range(1, 1001))
    assert found[1].data == {"prompt": "p1", "seed": 3}
    assert request(found[0].data).request.arguments == {"prompt": "p0"}  # type: ignore[union-attr]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(ConfigError, match="not Parquet"):
        RowFile(str(tmp_path / "bad.parquet"))


def parquet(tmp_path: Path, names: Sequence[str], *columns: Any) -> list[reading.Row]:
    pyarrow = pytest.importorskip("pyarrow")
    writing = pytest.importorskip("pyarrow.parquet")
    writing.write_table(pyarrow.Table.from_arrays(columns, names=names), tmp_path / "in.parquet")
    file = RowFile(str(tmp_path / "in.parquet"))
    try:
        return list(file)
    finally:
        file.close()


def test_times_and_decimals_of_parquet_are_text(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    exact = pyarrow.array([1_700_000_000_123_456_789, None], pyarrow.timestamp("ns"))
    days, prices = [date(2024, 1, 2), None], [Decimal("1.50"), None]
    columns = (exact, pyarrow.array(days), pyarrow.array(prices))
    found = [row.data for row in parquet(tmp_path, ["id", "day", "price"], *columns)]
    assert found[0] == {"id": "2023-11-14 22:13:20.123456789", "day": "2024-01-02", "price": "1.50"}
    assert set(found[1].values()) == {None}
    inner = pyarrow.array([[None], [exact[0].value]], pyarrow.list_(pyarrow.timestamp("ns")))
    found = parquet(tmp_path, ["prompt", "times"], pyarrow.array(["a", "b"]), inner)
    assert [row.line for row in found] == [1, 2]
    assert found[0].data["prompt"] == "a"


def test_columns_of_parquet_with_one_name_are_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    same = pyarrow.array(["a"])
    with pytest.raises(ConfigError, match="'prompt' is there twice"):
        parquet(tmp_path, ["prompt", "prompt"], same, same)


def test_parts_of_a_column_that_a_row_of_parquet_does_not_state_bound_nothing(
    tmp_path: Path,
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    bounds = pyarrow.array([{"max_states": 8, "max_actions": None}])
    (row,) = parquet(tmp_path, ["prompt", "constraints"], pyarrow.array(["a"]), bounds)
    asked = request(row.data).request
    assert asked is not None
    assert asked.arguments == {"prompt": "a", "constraints": {"max_states": 8}}


def test_parquet_without_its_extra_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.parquet").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match="parquet"):
        RowFile(str(tmp_path / "in.parquet"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("in.txt", "rows in .txt"),
        ("in", "without suffix"),
        ("missing", "No such file"),
        ("missing.jsonl", "No such file"),
        ("with\0nul.jsonl", "null"),
        (".", "Is a directory"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_next_step(
    name: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").touch()
    (tmp_path / "in").touch()
    with pytest.raises(ConfigError, match=f"{problem}.*Name a file"):
        RowFile(str(tmp_path / name))


def test_a_file_each_of_whose_lines_would_fail_is_refused_once(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(gzip.compress(b'"one"\n'))
    with pytest.raises(ConfigError, match=r"compressed.*ends in \.gz"):
        RowFile(str(tmp_path / "in.jsonl"))
    (tmp_path / "in.csv").write_bytes("prompt\na lift\n".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"UTF-16.*Save it as UTF-8"):
        RowFile(str(tmp_path / "in.csv"))
    (tmp_path / "in.jsonl.gz").write_bytes(b'"one"\n')
    with pytest.raises(ConfigError, match=r"not compressed\. Take \.gz off"):
        RowFile(str(tmp_path / "in.jsonl.gz"))


def test_json_over_several_lines_is_told_from_broken_lines() -> None:
    found = list(read_jsonl(io.BytesIO(b'[\n{"prompt": "a"}\n]\n')))
    assert "each row on one line" in found[0].fault
    assert found[1].data == {"prompt": "a"}


def test_a_number_that_python_does_not_read_is_said_in_plain_words(tmp_path: Path) -> None:
    words = "a number of 5,000 digits; at most 4,300 digits are read"
    (row,) = of_file(tmp_path, "in.jsonl", b'{"prompt": "a", "seed": ' + b"1" * 5000 + b"}\n")
    assert row.fault == f"the line is not read: {words}"
    (row,) = of_file(tmp_path, "in.csv", b"prompt,seed\na," + b"1" * 5000 + b"\n")
    made = prepared(row, "generate", shared={}, carry=False)
    assert made.outcome is not None
    assert made.outcome.body["error"]["message"] == f"the field 'seed' is not JSON: {words}"


def test_a_row_that_cannot_be_asked_says_why() -> None:
    assert "did you mean 'expectations'" in refusal({"prompt": "a", "expectation": []})
    assert "'colour' is not known" in refusal({"prompt": "a", "colour": 1})
    assert "'prompt' is missing" in refusal({"id": 3})
    assert "'feedback' is missing" in refusal({"document": "x"}, "refine")
    assert "state one" in refusal({"prompt": "a", "messages": []}, "ask")
    assert "a list" in refusal([1])
    assert "not JSON" in refusal({"prompt": "a", "seed": "x"}, is_text=True)
    assert "not JSON" in refusal({"prompt": "a", "seed": {1, 2}})
    assert "not JSON" in refusal({"prompt": "a", "seed": "NaN"}, is_text=True)
    assert "not JSON" in refusal({"prompt": "a", "seed": "1e999"}, is_text=True)
    twice = {"prompt": "a", "constraints": '{"max_states": 8, "max_states": 9}'}
    assert "is there twice" in refusal(twice, is_text=True)


def test_equal_requests_have_one_key_and_different_rows_another_identity() -> None:
    one, two = request({"prompt": "a", "id": 1}), request({"id": 2, "prompt": "a", "seed": None})
    assert one.request == two.request
    assert one.identity != two.identity
    assert request({"prompt": "a", "seed": 1}).request != one.request
    assert request("a").request == one.request
    carried = request({"prompt": "a", "colour": "red"}, carry=True)
    assert carried.own == {"carried": {"colour": "red"}}
    assert carried.request == one.request


def test_a_row_is_any_mapping() -> None:
    plain = request({"prompt": "a", "id": 1})
    for made in (MappingProxyType({"prompt": "a", "id": 1}), UserDict({"prompt": "a", "id": 1})):
        assert request(made) == plain


def test_cells_of_csv_are_read_as_their_fields_are_meant() -> None:
    cells = {"prompt": "12", "seed": "7", "constraints": '{"max_states": 9}',
             "expectations": "cell=r4c4 within 12 in 80%"}  # fmt: skip
    asked = request(cells, is_text=True).request
    assert asked is not None
    assert asked.arguments == {
        "prompt": "12", "seed": 7, "constraints": {"max_states": 9},
        "expectations": ["cell=r4c4 within 12 in 80%"],
    }  # fmt: skip


def test_a_whole_number_that_pandas_writes_as_a_float_is_that_number(tmp_path: Path) -> None:
    raw = b'prompt,seed,constraints\na,3.0,"{""max_states"": 9.0}"\nb,,\nc,3.5,\n'
    one, none, half = (
        prepared(row, "generate", shared={}, carry=False)
        for row in of_file(tmp_path, "in.csv", raw)
    )
    assert one.request is not None
    assert json.dumps(one.request.arguments) == (
        '{"prompt": "a", "seed": 3, "constraints": {"max_states": 9}}'
    )
    assert none.request is not None
    assert none.request.arguments == {"prompt": "b"}
    assert half.outcome is not None
    assert (
        "the field 'seed' is 3.5, expected a whole number" in half.outcome.body["error"]["message"]
    )
    pyarrow = pytest.importorskip("pyarrow")
    rows = parquet(tmp_path, ["prompt", "seed"], pyarrow.array(["a"]), pyarrow.array([3.0]))
    assert json.dumps(request(rows[0].data).request.arguments) == '{"prompt": "a", "seed": 3}'  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["seed", "samples", "refine", "max_tokens", "temperature"])
def test_no_number_is_rounded(name: str) -> None:
    operation = "generate" if name == "seed" else "structured"
    for value in (3.5, 2.0**53, 1e300, -0.5):  # beyond 2**53 it may not be the one that was written
        row = Row(1, {"prompt": "a", "id": 7, name: value})
        made = prepared(row, operation, shared={}, carry=False)
        assert (made.request is None) is (name != "temperature")
        assert made.own == {"id": 7}
    for other in (True, "3.0", 3):  # judged with the other arguments
        assert request({"prompt": "a", name: other}, operation).request.arguments[name] is other  # type: ignore[union-attr]
    asked = request({"prompt": "a", name: 3.0}, operation).request
    assert asked is not None
    assert type(asked.arguments[name]) is (float if name == "temperature" else int)


def test_every_field_is_an_argument_of_its_operation() -> None:
    import inspect

    from orchestrator import Orchestrator

    for about in OPERATIONS.values():
        known = inspect.signature(getattr(Orchestrator, about.method)).parameters
        others = {"prompt", "document", "messages", "temperature", "max_tokens"}
        assert set(about.known) - others <= set(known), about
    assert json.dumps(list(OPERATIONS))


PLAIN = [(2, {"id": "1", "prompt": "a, b"}), (3, {"id": "2", "prompt": "c"})]


@pytest.mark.parametrize(
    ("raw", "lines_above"),
    [
        (b"sep=;\nid;prompt\n1;a, b\n2;c\n", 1),
        (b"\xef\xbb\xbfsep=;\r\nid;prompt\r\n1;a, b\r\n2;c\r\n", 1),
        (b'SEP=,\r\n"id","prompt"\r\n1,"a, b"\r\n2,c\r\n', 1),
        (b"sep=\t\nid\tprompt\n1\ta, b\n2\tc\n", 1),
        (b'id,prompt,,\n1,"a, b",,\n2,c,,\n,,,\n', 0),
        (b"\xef\xbb\xbfid;prompt;\r\n1;a, b;\r\n2;c;\r\n;;\r\n", 0),
        (b'id,prompt\n1,"a, b",\n2,c,,\n', 0),
        (b'id,prompt\r1,"a, b"\r2,c\r', 0),
    ],
    ids=["sep", "sep with mark and CRLF", "sep and quotes", "sep is a tab", "commas at the end",
         "semicolons at the end", "commas after rows alone", "CR alone"],
)  # fmt: skip
def test_csv_of_spreadsheets_is_read(tmp_path: Path, raw: bytes, lines_above: int) -> None:
    found = of_file(tmp_path, "in.csv", raw)
    assert [(row.line - lines_above, row.data) for row in found] == PLAIN
    assert not any(row.fault for row in found)


def test_a_cell_beyond_the_names_is_not_dropped(tmp_path: Path) -> None:
    found = of_file(tmp_path, "in.csv", b"id,prompt,,\n1,a,,note\n")
    assert [row.fault for row in found] == ["the row has 4 cells, and there are 2 names"]
    with pytest.raises(ConfigError, match="a column has no name"):
        of_file(tmp_path, "in.csv", b"id,,prompt\n1,2,3\n")


def test_a_quote_that_is_never_closed_does_not_swallow_rows_in_silence(tmp_path: Path) -> None:
    found = of_file(tmp_path, "in.csv", b'id,prompt\n1,a\n2,"b\n3,c\n4,d\n')
    assert [(row.line, bool(row.fault)) for row in found] == [(2, False), (3, True)]
    assert "never closed" in found[1].fault
    found = of_file(tmp_path, "in.csv", b'id,prompt\n1,"a"b\n2,c\n')
    assert [(row.line, bool(row.fault)) for row in found] == [(2, True), (3, False)]
    with pytest.raises(ConfigError, match="the line of names"):
        of_file(tmp_path, "in.csv", b'id,"prompt\n1,a\n')


@pytest.mark.parametrize("name", ["in.csv.GZ", "in.CSV.gz", "IN.JSONL.GZ"])
def test_the_case_of_a_suffix_does_not_count(tmp_path: Path, name: str) -> None:
    raw = b'{"prompt": "a"}\n' if "JSONL" in name else b"prompt\na\n"
    assert [row.data for row in of_file(tmp_path, name, gzip.compress(raw))] == [{"prompt": "a"}]
