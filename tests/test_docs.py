"""Every python and console block of the pages runs; the pages name all there is to name."""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

import orchestrator
from orchestrator.cli.commands import parser
from orchestrator.cli.main import main
from orchestrator.config.providers import CHOICES
from orchestrator.config.settings import LITELLM_SETTINGS, Config, Settings
from orchestrator.types import errors, events

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "orchestrator"
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
RULES = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
ROOMS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
MOST_PROCESSES = 15  # of all console blocks together: each takes a second or two


def console(example: Any) -> None:
    """Run each ``$`` line and compare what follows it; ``...`` stands for anything."""
    for block in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, _, expected = block.partition("\n")
        said = printed(command).strip()
        pattern = re.escape(expected.strip()).replace(r"\.\.\.", ".*?")
        assert re.fullmatch(pattern, said, re.DOTALL), said


def printed(command: str) -> str:
    """What a command prints on both streams: one of the program alone in this process."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        if command.startswith("orchestrator "):
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                main(shlex.split(command)[1:])
        else:
            run = command.replace("orchestrator", f"{sys.executable} -m orchestrator", 1)
            both = {"stdout": said, "stderr": subprocess.STDOUT}
            subprocess.run(run, shell=True, cwd=ROOT, check=False, **both)  # type: ignore[call-overload]
        said.seek(0)
        return said.read()


def configuration(example: Any) -> None:
    """Load a yaml block; every key in it is known."""
    Config.load(yaml.safe_load(example.parsed), {})


PARSERS: list[Any] = [
    PythonCodeBlockParser(),
    CodeBlockParser(language="console", evaluator=console),
    CodeBlockParser(language="yaml", evaluator=configuration),
]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the drop-in lives with the process
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_are_true(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One test for a page: its blocks are read from the top, and use the names of those above them.
    monkeypatch.chdir(ROOT)
    document = Sybil(parsers=PARSERS, pattern=page.name, path=str(page.parent)).parse(page)
    for example in document.examples():
        example.evaluate()


def blocks(language: str, *pages: Path) -> list[str]:
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [block for page in pages for block in pattern.findall(page.read_text())]


def test_the_readme_has_examples_of_all_doors() -> None:
    assert len(blocks("console", README)) == 1
    assert len(blocks("python", README)) == 3


def test_the_console_blocks_stay_cheap() -> None:
    started = [line for block in blocks("console", *PAGES) for line in block.splitlines()]
    assert len([line for line in started if line.startswith("$ ")]) <= MOST_PROCESSES


def test_links_lead_to_pages_and_headings_that_exist() -> None:
    for page in [*PAGES, *RULES]:
        for target, anchor in re.findall(r"\]\(([\w./-]+\.md)?(?:#([\w-]+))?\)", page.read_text()):
            path = page.parent / target if target else page
            assert path.is_file(), f"{page.name}: {target}"
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            known = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
            assert not anchor or anchor in known, f"{page.name}: {target}#{anchor}"


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every key below ``orchestrator:`` with its default."""
    for name, field in model.model_fields.items():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel):
            yield from sections(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.default


def test_every_key_is_explained_with_its_default() -> None:
    rows = re.findall(
        r"^\| `([\w.]+)` \| `([^`]*)` \| .", (DOCS / "configuration.md").read_text(), re.MULTILINE
    )
    stated = {key: yaml.safe_load(default) for key, default in rows}
    of_the_code = {
        key: list(default) if isinstance(default, tuple) else default
        for key, default in sections(Settings)
    }
    assert stated == of_the_code


def variables() -> set[str]:
    """Every environment variable that the code reads or sets by name."""
    named = re.compile(r"(ORCHESTRATOR|LLM|LITELLM)_[A-Z_]+")
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if named.fullmatch(node.value) else set()
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("environ.get"):
                first = node.args[0]
                found |= {str(first.value)} if isinstance(first, ast.Constant) else set()
    return found


def test_every_variable_provider_and_setting_of_litellm_is_named() -> None:
    page = (DOCS / "configuration.md").read_text()
    keys = set(re.findall(r"os\.environ/(\w+)", (ROOT / "config.yaml").read_text()))
    read = variables()
    assert {"NO_COLOR", "DEFAULT_LLM_MODEL", "ORCHESTRATOR_CASSETTE"} <= read
    for name in {*read, *keys, *CHOICES, *LITELLM_SETTINGS}:
        assert f"`{name}`" in page, name


def commands() -> dict[str, argparse.ArgumentParser]:
    """The whole command line, then each command."""
    top = parser()
    (made,) = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    return {"": top, **made.choices}


def spelled(help_text: str) -> str:
    """Help as every Python words it: before 3.13 ``-o FILE, --output FILE``."""
    return re.sub(r"(-\w) (\S+), (--[\w-]+) \2", r"\1, \3 \2", " ".join(help_text.split()))


@pytest.mark.parametrize("name", list(commands()))
def test_the_help_that_is_quoted_is_that_of_the_program(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    said = commands()[name].format_help()
    quoted = [spelled(block) for block in blocks("text", DOCS / "cli.md")]
    assert spelled(said) in quoted, f"docs/cli.md has to say:\n{said}"


def test_every_command_has_a_heading_and_every_option_is_under_it() -> None:
    page = (DOCS / "cli.md").read_text()
    parts = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))
    every = {name: one for name, one in commands().items() if name}
    assert set(parts) == set(every)
    for name, one in every.items():
        for option in (option for action in one._actions for option in action.option_strings):
            assert option in parts[name], f"{name} {option}"


def test_every_public_name_error_and_event_is_in_the_library_page() -> None:
    page = (DOCS / "library.md").read_text()
    classes = {
        name
        for module in (errors, events)
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }
    missing = [n for n in {*dir(orchestrator), *classes} if not re.search(rf"\b{n}\b", page)]
    assert sorted(missing) == []


def test_every_operation_is_in_the_library_page() -> None:
    page = (DOCS / "library.md").read_text() + (DOCS / "caching.md").read_text()
    public = [name for name in vars(orchestrator.Orchestrator) if not name.startswith("_")]
    assert [name for name in public if name not in page] == []


def test_the_pages_name_files_and_tests_that_exist() -> None:
    """A path, or a bare name that some file has; ``x.py::test_y`` is a test in it."""
    for page in [*PAGES, *RULES, *(room / "README.md" for room in ROOMS)]:
        for name, test in re.findall(r"`([\w./]+\.py)(?:::(\w+))?`", page.read_text()):
            if name.startswith("litellm/"):
                continue
            path = name.removeprefix("orchestrator/")
            near = [page.parent / name, ROOT / name, PACKAGE / path, ROOT / "tests" / path]
            found = [one for one in near if one.is_file()]
            found = found or [p for d in (PACKAGE, ROOT / "tests") for p in d.rglob(name)]
            assert found, f"{page.relative_to(ROOT)}: {name}"
            is_there = any(re.search(rf"\b{test}\b", one.read_text()) for one in found)
            assert is_there, f"{page.relative_to(ROOT)}: {name}::{test}"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_every_room_says_what_it_is_for_in_five_to_ten_lines(room: Path) -> None:
    lines = (room / "README.md").read_text().splitlines()
    assert 5 <= len(lines) <= 10
    assert lines[0] == f"# {room.name}"
    assert all(word in "\n".join(lines) for word in ("May import", "Receives", "Change here"))


def test_the_rooms_are_those_of_the_architecture_page() -> None:
    page = (DOCS / "architecture.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == {r.name for r in ROOMS}


def test_the_new_paths_of_the_changelog_exist() -> None:
    unreleased = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1]
    paths = re.findall(r"^\| `orchestrator[^|]* \| `([\w.]+)` \|", unreleased, re.MULTILINE)
    assert len(paths) > 20
    for path in paths:
        assert importlib.util.find_spec(path.removesuffix(".handler")), path
