"""`orchestrator cache`: what is kept can be seen, compared, mended, carried over, forgotten."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.cache.disk import disk_store
from orchestrator.cache.keys import digest
from orchestrator.cli.main import main
from tests.support.wire import WireServer, configured

Output = pytest.CaptureFixture[str]
ASK: list[dict[str, Any]] = [{"role": "user", "content": "a private question of some length"}]


KEY = "a" * 64
LINE = json.dumps({"key": KEY, "question": {}, "answer": [3, 0.0, "x"]})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"not JSON", 1), (b"\x00\xff\x80", 1), (b"\xff" * 1000, 1), (b"[" * 100_000, 1),
        (b"\n", 1), (b"[]", 1), (b"null", 1), (b"{}", 1), (LINE.encode() + b"\n{}", 2),
        (LINE.encode() + b"\n" + LINE.encode()[:-5], 2), (LINE.encode() + b"\n\n", 2),
        (b'{"key": "k", "question": {}, "answer": [3, 0.0]}', 1),
        (b'{"key": "../x", "question": {}, "answer": [3, 0.0]}', 1),
        (f'{{"key": "{KEY}", "question": [], "answer": [3, 0.0]}}'.encode(), 1),
        (f'{{"key": "{KEY}", "question": {{}}, "answer": "x"}}'.encode(), 1),
        (f'{{"key": "{KEY}", "question": {{}}, "answer": null}}'.encode(), 1),
    ],
)  # fmt: skip
def test_junk_is_refused_with_its_line_and_nothing_of_it_is_kept(
    text: bytes, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "junk").write_bytes(text)
    assert main(["cache", "import", str(tmp_path / "junk")]) == 2
    printed = capsys.readouterr().err
    assert f"junk, line {line}: " in printed
    assert "did not write" in printed
    assert "Nothing is imported" in printed
    assert len(printed.splitlines()) == 1
    assert main(["cache", "info"]) == 0
    assert " 0 entries" in capsys.readouterr().out


def test_an_export_that_is_cut_between_two_lines_is_refused(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    out = filled / "cache.jsonl"
    assert main(["cache", "export", str(out)]) == 0
    lines = out.read_text().splitlines(keepends=True)
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(filled / "other"))
    capsys.readouterr()
    for cut in (lines[:1], lines[1:]):
        out.write_text("".join(cut))
        assert main(["cache", "import", str(out)]) == 2
        assert "line 1" in capsys.readouterr().err
    assert main(["cache", "info"]) == 0
    assert " 0 entries" in capsys.readouterr().out
    assert main(["cache", "export", str(out)]) == 0  # of an empty cache
    assert main(["cache", "import", str(out)]) == 0
    assert main(["cache", "export", str(filled)]) == 2
    assert "Name a file" in capsys.readouterr().err


def test_an_export_without_numbered_lines_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "old.jsonl").write_text(LINE)
    assert main(["cache", "import", str(tmp_path / "old.jsonl")]) == 0
    assert "1 entries imported" in capsys.readouterr().out


@pytest.fixture
def filled(wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two answers that differ in one parameter."""
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path / "cache"))
    wire.plan("m", "one", "two")
    orc = Orchestrator(configured(wire.base, "m"))
    for temperature in (0, 1):
        orc.sync.completion(model="m", messages=ASK, temperature=temperature)
    orc.sync.close()
    return tmp_path


def test_entries_are_listed_shown_and_compared_without_their_words(
    filled: Path, capsys: Output
) -> None:
    assert main(["cache", "list"]) == 0
    printed = capsys.readouterr().out
    assert "private" not in printed
    keys = [line.split()[0] for line in printed.splitlines()[2:]]
    assert len(keys) == 2
    assert main(["cache", "show", keys[0]]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["question"]["arguments"]["temperature"] in (0, 1)
    assert "33 characters" in found["question"]["arguments"]["messages"][0]["content"]
    assert main(["cache", "explain", *keys]) == 0
    assert capsys.readouterr().out in (
        "arguments.temperature: 0 is 1\n", "arguments.temperature: 1 is 0\n"
    )  # fmt: skip
    assert main(["cache", "explain", keys[0], keys[0]]) == 0
    assert capsys.readouterr().out == "the same question\n"
    for path in (filled / "cache").rglob("*"):
        assert path.is_dir() or b"private question" not in path.read_bytes()


def test_the_last_entries_are_listed_and_the_others_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path))
    keys = [digest({"number": number}) for number in range(5)]
    with contextlib.closing(disk_store(tmp_path)) as store:
        for key in keys:
            store.put(key, ["answer"], question={"route": "r"})
        store._backend.remove([keys[3]])  # type: ignore[union-attr]  # its question stays
        store._backend.remove([keys[4] + ".question"])  # type: ignore[union-attr]
    assert main(["cache", "list", "--last", "2", "--json"]) == 0
    printed = capsys.readouterr()
    assert [one["key"] for one in json.loads(printed.out)] == keys[1:3]
    assert "the last 2 of 4 entries; all with: --last 4" in printed.err
    assert main(["cache", "list"]) == 0
    printed = capsys.readouterr()
    assert [row.split()[0] for row in printed.out.splitlines()[2:]] == [k[:12] for k in keys[:3]]
    assert not printed.err


def test_misuse_says_what_is_taken(filled: Path, capsys: Output) -> None:
    assert main(["cache", "explain", "abc"]) == 2
    assert "two KEYs" in capsys.readouterr().err
    assert main(["cache", "show", "zzz"]) == 2
    assert "0 entries begin with 'zzz'" in capsys.readouterr().err
    assert main(["cache", "import", str(filled / "none")]) == 2
    assert "is not a file" in capsys.readouterr().err


def test_entries_are_carried_over_and_answer_there(
    filled: Path, wire: WireServer, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    out = filled / "cache.jsonl"
    assert main(["cache", "export", str(out)]) == 0
    assert "2 entries" in capsys.readouterr().out
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(filled / "other"))
    assert main(["cache", "import", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["imported"] == 2
    orc = Orchestrator(configured(wire.base, "m"))
    answer = orc.sync.completion(model="m", messages=ASK, temperature=1)
    orc.sync.close()
    assert answer.choices[0].message.content == "two"
    assert len(wire.requests) == 2
    out.write_text('{"a": 1}\n')
    assert main(["cache", "import", str(out)]) == 2
    assert "did not write" in capsys.readouterr().err


def test_damage_is_found_and_removed(filled: Path, capsys: Output) -> None:
    assert main(["cache", "verify"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    with sqlite3.connect(filled / "cache" / "cache.db") as database:
        database.execute("UPDATE Cache SET value = ? WHERE key NOT LIKE '%.question'", (b"{",))
    database.close()
    assert main(["cache", "verify"]) == 1
    assert capsys.readouterr().out.count("is removed") == 2
    assert main(["cache", "prune"]) == 0
    assert main(["cache", "clear", "--json"]) == 0
    assert main(["cache", "info"]) == 0
    assert "0 entries" in capsys.readouterr().out


def test_a_recording_in_a_file_can_be_compared_too(filled: Path, capsys: Output) -> None:
    question = {"layout": 2, "route": "default", "sample": 0}
    (filled / "one.json").write_text(json.dumps({"key": "k", "question": question}))
    (filled / "two.json").write_text(json.dumps({**question, "sample": 1}))
    assert main(["cache", "explain", str(filled / "one.json"), str(filled / "two.json")]) == 0
    assert capsys.readouterr().out == "sample: 0 is 1\n"
    (filled / "two.json").write_text("{")
    assert main(["cache", "explain", str(filled / "one.json"), str(filled / "two.json")]) == 2
    assert "is not JSON" in capsys.readouterr().err
    assert main(["cache", "list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
