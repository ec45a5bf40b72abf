"""Every python and console block of the README runs, and prints what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def console(example: object) -> None:
    """Run each ``$`` line and compare what follows it; ``...`` stands for anything."""
    parsed = getattr(example, "parsed")  # noqa: B009  sybil's Example is untyped here
    for block in re.split(r"^\$ ", parsed, flags=re.MULTILINE)[1:]:
        command, _, expected = block.partition("\n")
        ran = subprocess.run(
            command.replace("orchestrator", f"{sys.executable} -m orchestrator.cli.main", 1),
            shell=True,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        pattern = re.escape(expected.strip()).replace(r"\.\.\.", ".*?")
        assert re.fullmatch(pattern, ran.stdout.strip(), re.DOTALL), ran.stdout


EXAMPLES = list(
    Sybil(
        parsers=[PythonCodeBlockParser(), CodeBlockParser(language="console", evaluator=console)],
        pattern="README.md",
        path=str(ROOT),
    )
    .parse(README)
    .examples()
)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the drop-in lives with the process
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line {example.line}")
def test_the_readme_is_true(example: object) -> None:
    getattr(example, "evaluate")()  # noqa: B009  sybil's Example is untyped here


def test_the_readme_has_examples_of_both_kinds() -> None:
    text = README.read_text()
    assert text.count("```python") >= 3
    assert text.count("```console") >= 2


def test_every_command_is_in_the_readme() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    commands = re.findall(r"^    ([a-z]+) ", ran.stdout, re.MULTILINE)
    assert len(commands) == 15
    for command in commands:
        assert f"| `{command}" in README.read_text()
