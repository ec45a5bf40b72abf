"""A client that somebody else wrote: Neovim, headless, over the process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.gmn.validate import validate
from tests.support.documents import swapped

SCRIPT = Path(__file__).with_name("neovim.lua")
NEOVIM = shutil.which("nvim")


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Neovim was answered about a document with two faults and odd characters."""
    if NEOVIM is None:
        pytest.skip("nvim is not installed")
    directory = tmp_path_factory.mktemp("neovim")
    text = swapped("[0.8, 0.1, 0.1]", "[0.8, 0.11, 0.1]").replace(
        "agent walker {", 'agent walker { description: "\U0001f600\U0001f600" colour: red'
    )
    (directory / "model.gmn").write_text(text, encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(directory), "PYTHON": sys.executable,
        "OUT": str(directory / "out"), "DOC": str(directory / "model.gmn"),
        "PYTHONPATH": os.pathsep.join(sys.path), "LANG": "C.UTF-8",
    }  # fmt: skip
    # A script that fails would leave Neovim waiting for somebody to read why.
    steps = ("-c", f"luafile {SCRIPT}", "-c", "qall!")
    command = [NEOVIM, "--headless", "-u", "NONE", "-i", "NONE", "-n", *steps]
    ran = subprocess.run(
        command,
        env=environment,
        cwd=directory,
        timeout=110,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    said = [json.loads(line) for line in (directory / "out").read_text().splitlines()]
    assert said, ran.stderr
    return dict(said) | {"text": text, "stderr": ran.stderr.decode()}


def test_findings_arrive_at_their_columns(heard: dict[str, Any]) -> None:
    line = heard["text"].split("\n")[1]
    column = len(line[: line.index("colour")].encode())  # Neovim counts bytes
    assert ["GMN007", 1, column, column + 6, 2] in heard["diagnostics"]
    assert "GMN201" in [one[0] for one in heard["diagnostics"]]


def test_completion_and_hover_answer(heard: dict[str, Any]) -> None:
    assert heard["completion"] == ["pos"]
    assert "**state** pos" in heard["hover"]


def test_a_rename_and_the_format_are_applied(heard: dict[str, Any]) -> None:
    assert "node state where {" in heard["renamed"]
    assert "to: where" in heard["renamed"]
    assert "[pos]" not in heard["renamed"]
    assert "'colour' of agent ignored" in heard["refused"]  # it would be gone
    assert heard["formatted"].startswith("gmn 1.0\nagent walker {\n  type: explorer\n")
    assert validate(heard["formatted"]).spec == validate(heard["fixed"][1]).spec


def test_a_quick_fix_is_applied(heard: dict[str, Any]) -> None:
    title, text = heard["fixed"]
    assert title == "GMN007: remove 'colour'"
    assert text == heard["renamed"].replace("colour: red ", "")
    assert validate(text).report.is_valid


def test_the_server_ends_with_its_client(heard: dict[str, Any]) -> None:
    assert heard["stopped"] is True
