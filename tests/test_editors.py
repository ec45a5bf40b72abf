"""What editors are given beside the server: grammar, extension, the settings of the page."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.gmn.formats.block_nodes import KEYS_OF
from orchestrator.gmn.formats.extents import pieces
from tests.support.documents import GOOD, SHARED

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = ROOT / "docs" / "vscode"
LIBRARY = sorted((ROOT / "prompts" / "library").glob("*.gmn"))
GRAMMAR: dict[str, Any] = json.loads(
    (EXTENSION / "syntaxes" / "gmn.tmLanguage.json").read_text(encoding="utf-8")
)

Rule = dict[str, Any]
Scoped = tuple[int, int, str]


def rules(patterns: list[Rule]) -> Iterator[Rule]:
    """The patterns with their includes resolved, in order."""
    for one in patterns:
        if "include" in one:
            included = GRAMMAR["repository"][one["include"].removeprefix("#")]
            is_rule = {"match", "begin"} & set(included)
            yield from rules([included] if is_rule else included["patterns"])
        elif "patterns" in one and not {"match", "begin"} & set(one):
            yield from rules(one["patterns"])
        else:
            yield one


def scopes(text: str) -> Iterator[Scoped]:
    """Every part of a text that a rule names, read line by line as TextMate grammars are."""
    stack: list[Rule] = []
    start = 0
    for line in text.split("\n"):
        at = 0
        while at <= len(line):
            known = rules(stack[-1].get("patterns", []) if stack else GRAMMAR["patterns"])
            found = [(one, re.compile(one.get("match") or one["begin"])) for one in known]
            if stack:
                found.insert(0, (stack[-1], re.compile(stack[-1]["end"])))
            hits = [
                (hit.start(), i, hit)
                for i, (_, one) in enumerate(found)
                if (hit := one.search(line, at))
            ]
            if not hits:
                break
            _, index, hit = min(hits, key=lambda one: one[:2])
            rule = found[index][0]
            is_end = bool(stack) and index == 0
            yield from named(rule, hit, start)
            if is_end:
                stack.pop()
            elif "begin" in rule:
                stack.append(rule)
            at = hit.end() + (hit.end() == hit.start() and not is_end)
            if is_end and hit.end() == hit.start() == len(line):
                continue
        start += len(line) + 1
    assert stack == []


def named(rule: Rule, hit: re.Match[str], start: int) -> Iterator[Scoped]:
    for number, capture in rule.get("captures", {}).items():
        yield start + hit.start(int(number)), start + hit.end(int(number)), capture["name"]
    name = rule.get("name") or next(
        (rule[key]["0"]["name"] for key in ("beginCaptures", "endCaptures") if key in rule), ""
    )
    if name and hit.end() > hit.start() and "captures" not in rule:
        yield start + hit.start(), start + hit.end(), name


@pytest.mark.parametrize("text", [*(p.read_text(encoding="utf-8") for p in LIBRARY), GOOD, SHARED])
def test_the_grammar_names_every_token_of_a_model_as_the_lexer_reads_it(text: str) -> None:
    found = list(scopes(text))
    at = {start: name for start, _, name in found}
    inside = [(start, end) for start, end, _ in found]
    for piece in pieces(text):
        raw = piece.group().strip()
        if piece.lastgroup == "blank":
            if raw:
                assert at[piece.start()].startswith("comment.")
            continue
        where = text[piece.start() :].split("\n", maxsplit=1)[0]
        assert any(start <= piece.start() < end for start, end in inside), where
        name = at.get(piece.start(), "")
        if piece.lastgroup is None and raw[0] == '"' and text[piece.end() :][:1] != ":":
            assert name.startswith("string.")
        if piece.lastgroup in ("number", "share") and text[piece.end() :].lstrip()[:1] != ":":
            assert name == "constant.numeric.gmn", where


def test_the_grammar_tells_keywords_types_and_names_apart() -> None:
    found = {GOOD[start:end]: name for start, end, name in scopes(GOOD)}
    assert found["node"] == found["agent"] == found["gmn"] == "keyword.control.gmn"
    assert found["emission"] == "storage.type.gmn"
    assert found["walker"] == "entity.name.type.gmn"
    assert found["shift"] == found["rows"] == "variable.other.property.gmn"
    assert found["left"] == "variable.other.property.gmn"  # of moves


@pytest.mark.parametrize(
    "text", ["a: 'it # is' # note", 'x: "a \\" b" y: 1', "# node state x {", '"""a\nnode b"""', "{"]
)
def test_strings_and_comments_hold_no_keywords(text: str) -> None:
    try:
        found = list(scopes(text))
    except AssertionError:
        assert text == "{"  # never closed
        return
    assert not [name for _, _, name in found if name.startswith(("keyword", "storage"))]


def test_the_extension_names_files_that_it_has() -> None:
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    assert {"name", "version", "publisher", "engines", "main", "contributes"} <= set(package)
    assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
    language, grammar = (
        package["contributes"]["languages"][0],
        package["contributes"]["grammars"][0],
    )
    for path in (package["main"], language["configuration"], grammar["path"], "LICENSE"):
        assert (EXTENSION / path).is_file()
    assert (language["id"], grammar["scopeName"]) == (grammar["language"], GRAMMAR["scopeName"])
    assert re.search(language["firstLine"], GOOD)
    assert (EXTENSION / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    script = (EXTENSION / package["main"]).read_text(encoding="utf-8")
    (setting,) = package["contributes"]["configuration"]["properties"]
    assert f'getConfiguration("{setting.split(".")[0]}").get("{setting.split(".")[1]}")' in script
    words = json.loads((EXTENSION / "language-configuration.json").read_text(encoding="utf-8"))
    for word in ("cheese_left", "r4c4", "@stay", "a*", *KEYS_OF["policy"]):
        assert re.fullmatch(words["wordPattern"], word)


def test_the_settings_of_the_page_can_be_read() -> None:
    page = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")
    (toml,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    helix = tomllib.loads(toml)
    server = helix["language-server"]["gmn"]
    assert [server["command"], *server["args"]] == ["orchestrator", "lsp"]
    assert helix["language"][0]["language-servers"] == ["gmn"]


@pytest.mark.skipif(shutil.which("nvim") is None, reason="nvim is not installed")
def test_neovim_starts_the_server_as_the_page_says(tmp_path: Path) -> None:

    page = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")
    (lua,) = [one for one in re.findall(r"```text\n(.*?)```", page, re.DOTALL) if "autocmd" in one]
    (tmp_path / "init.lua").write_text(lua)
    (tmp_path / "model.gmn").write_text("gmn 1.0\n")
    (tmp_path / "orchestrator").write_text(
        f'#!/bin/sh\nexec {sys.executable} -m orchestrator "$@"\n'
    )
    (tmp_path / "orchestrator").chmod(0o755)
    wait = "lua vim.wait(60000, function() return #vim.diagnostic.get(0) > 0 end, 20)"
    say = "lua io.stdout:write(vim.bo.filetype .. ' ' .. vim.diagnostic.get(0)[1].code)"
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    ran = subprocess.run(
        ["nvim", "--headless", "-u", str(tmp_path / "init.lua"), "-i", "NONE", "-n",
         str(tmp_path / "model.gmn"), "-c", wait, "-c", say, "-c", "qall!"],
        env=environment, capture_output=True, timeout=110, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.stdout == b"gmn GMN101", ran.stderr
