"""What any stream, file or moment may do to a command: one line, an exit code, no traceback."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from tests.support.documents import GOOD, swapped

ROOT = Path(__file__).resolve().parents[2]
PYTHON = f"{shlex.quote(sys.executable)} -m orchestrator"
MODEL = ROOT / "prompts" / "library" / "thermostat.gmn"

Output = pytest.CaptureFixture[str]


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", command.replace("orchestrator", PYTHON, 1)],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=60,
        env={**os.environ, **environment},
    )


@pytest.fixture
def foreign(tmp_path: Path) -> str:
    """A document with characters that cp1252 does not have."""
    path = tmp_path / "foreign.gmn"
    path.write_text(swapped("agent walker {", 'agent walker { description: "→ 中文"'))
    return str(path)


@pytest.mark.parametrize("command", ["format", "explain", "validate -v"])
def test_a_narrow_stdout_takes_every_result(foreign: str, command: str) -> None:
    ran = shell(f"orchestrator {command} {foreign}", PYTHONIOENCODING="cp1252")
    assert (ran.returncode, b"Traceback" in ran.stderr) == (0, False)
    if command == "format":
        assert rb"\u2192 \u4e2d\u6587" in ran.stdout
        assert b"note: cp1252 cannot hold '\\u2192'" in ran.stderr


def test_json_is_the_same_through_a_narrow_stdout(foreign: str) -> None:
    command = f"orchestrator format --json {foreign}"
    narrow, wide = shell(command, PYTHONIOENCODING="ascii"), shell(command)
    assert json.loads(narrow.stdout) == json.loads(wide.stdout)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("orchestrator format {} >&-", b"standard output is closed"),
        ("orchestrator plan x >&-", b"standard output is closed"),
        ("orchestrator format {} > /dev/full", b"No space left on device"),
        ("orchestrator --help > /dev/full", b"No space left on device"),
        ("orchestrator format {} -w --json > /dev/full", b"No space left on device"),
        ("orchestrator validate no/such --json > /dev/full", b"No space left on device"),
    ],
)
def test_a_stdout_that_takes_nothing_is_one_line_and_exit_code_four(
    tmp_path: Path, command: str, words: bytes
) -> None:
    copy = tmp_path / "m.gmn"
    copy.write_text(GOOD)
    ran = shell(command.format(copy))
    last = ran.stderr.splitlines()[-1]
    assert (ran.returncode, words in last) == (4, True), ran.stderr
    assert b"Traceback" not in ran.stderr
    assert b"Exception ignored" not in ran.stderr


def test_a_closed_or_full_stderr_does_not_change_the_result() -> None:
    for where in ("2>&-", "2>/dev/full"):
        ran = shell(f"orchestrator generate 'a thermostat' --provider offline {where}")
        assert ran.returncode == 0
        assert ran.stdout.startswith(b"gmn 1.0\n")
        assert b"asking" not in ran.stdout


def test_a_reader_that_has_enough_is_not_an_error() -> None:
    ran = shell("orchestrator --help | head -n 1; exit ${PIPESTATUS[0]}")
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_a_result_that_was_paid_for_is_printed_where_its_file_cannot_be_written(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.gmn"
    out.write_text("what was there")

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["generate", "a thermostat", "--provider", "offline", "-o", str(out)]) == 4
    printed = capsys.readouterr()
    assert printed.out.startswith("gmn 1.0\n")
    assert f"{out} cannot be written: No space left on device" in printed.err
    assert out.read_text() == "what was there"


@pytest.mark.parametrize(
    "path", ["no/such/directory/x.gmn", ".", "/dev/null/x", "x" * 300, "/proc/version"]
)
def test_where_a_result_cannot_go_is_said_before_anything_is_asked(
    path: str, capsys: Output
) -> None:
    assert main(["generate", "a thermostat", "--provider", "offline", "-o", path]) == 2
    err = capsys.readouterr().err
    assert "cannot be written" in err
    assert "asking" not in err


def test_finding_out_leaves_no_file_behind_and_changes_none(tmp_path: Path) -> None:
    new, old = tmp_path / "new.gmn", tmp_path / "old.gmn"
    old.write_text("old")
    for path in (new, old):
        assert main(["generate", " ", "-o", str(path)]) == 2
    assert (new.exists(), old.read_text()) == (False, "old")


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", "/dev/zero"],
        ["format", "/dev/zero"],
        ["generate", "x", "--example", "/dev/zero"],
        ["generate", "x", "--image", "/dev/zero"],
        ["eval", "--prompts", "/dev/zero"],
        ["validate", "."],
        ["validate", "a\0b"],
    ],
)
def test_what_has_no_end_or_is_not_a_file_is_exit_code_two(
    arguments: list[str], capsys: Output
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("orchestrator: ")


def test_a_configuration_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", "/dev/zero")
    assert main(["models"]) == 2


def test_an_endless_or_closed_stdin_is_exit_code_two() -> None:
    for command in ("yes | orchestrator validate -", "orchestrator validate - <&-"):
        ran = shell(command)
        assert (ran.returncode, b"Traceback" in ran.stderr) == (2, False), ran.stderr


def test_a_named_pipe_is_read_when_somebody_writes_and_refused_when_nobody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(GOOD))
    writer.start()
    assert main(["validate", str(pipe)]) == 0
    writer.join()
    monkeypatch.setattr("orchestrator.cli.files._NO_WRITER_S", 0.1)
    assert main(["validate", str(pipe)]) == 2
    assert "nobody writes to this pipe" in capsys.readouterr().err


def test_one_missing_file_does_not_hide_the_others(tmp_path: Path, capsys: Output) -> None:
    good, bad = tmp_path / "good.gmn", tmp_path / "bad.gmn"
    good.write_text(GOOD)
    bad.write_text(swapped("about: pos", "about: nowhere"))
    files = [str(good), str(tmp_path / "missing"), str(bad)]
    assert main(["validate", *files]) == 2
    printed = capsys.readouterr()
    assert f"{good}: valid, runs\n" in printed.out
    assert f"{bad}: not valid, 1 error\n" in printed.out
    assert "No such file" in printed.err
    assert main(["validate", "--json", *files]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [one["file"] for one in found] == files
    assert [one["valid"] for one in found] == [True, False, False]
    assert "No such file" in found[1]["error"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["generate", " "], 2),
        (["generate", "x", "--provider", "acme"], 2),
        (["generate", "x", "--provider", "openai"], 3),
        (["generate", "x", "-o", "no/such/x"], 2),
        (["format", "no/such/file"], 2),
        (["plan", " "], 2),
        (["runs", "show", "nothing"], 2),
        (["cache", "show", "nothing"], 2),
        (["models", "--forget-modes"], 0),
        (["completion", "bash"], 0),
    ],
)
def test_json_is_json_whatever_happens(arguments: list[str], code: int, capsys: Output) -> None:
    assert main([*arguments, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert ("error" in found) == (code != 0)
    if code:
        assert found["error"]["exit_code"] == code
        assert found["error"]["message"]


@pytest.mark.parametrize("command", ["format", "explain", "simulate"])
def test_json_of_an_invalid_document_is_its_report(
    command: str, tmp_path: Path, capsys: Output
) -> None:
    path = tmp_path / "x.gmn"
    path.write_text("gibberish")
    assert main([command, str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["valid"] is False


def test_json_of_a_wrong_argument_is_json(capsys: Output) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["generate", "--json"])
    assert caught.value.code == 2
    assert "--help" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_every_prompt_may_come_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: Output, tmp_path: Path
) -> None:
    def given(text: str) -> None:
        raw = b"\xef\xbb\xbf" + text.encode()  # as PowerShell begins a pipe
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))

    given("a thermostat")
    assert main(["plan", "-"]) == 0
    given(" ")
    assert main(["plan", "-"]) == 2
    assert "prompt is empty" in capsys.readouterr().err
    path = tmp_path / "m.gmn"
    path.write_text(GOOD)
    given("horizon 1")
    assert main(["refine", str(path), "--feedback", "-"]) == 0
    assert "horizon: 1" in capsys.readouterr().out
    assert main(["refine", "-", "--feedback", "-"]) == 2


def test_bytes_of_the_command_line_that_are_not_utf8_are_refused(capsys: Output) -> None:
    assert main(["generate", os.fsdecode(b"caf\xe9")]) == 2
    assert "not a character" in capsys.readouterr().err


INTERRUPTED = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["orchestrator", "models"]
from orchestrator.cli.entry import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("orchestrator.cli.main", ""),
        ("argparse", ""),
        ("orchestrator.types.errors", ""),
        ("orchestrator.cli.models", "interrupted\n"),
        ("pydantic", "interrupted\n"),
        ("dataclasses", ""),
    ],
)
def test_an_interrupt_while_something_is_imported_is_silent_or_one_line(
    name: str, words: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(name=name)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (130, words)


def test_completion_completes_in_a_real_bash(tmp_path: Path, capsys: Output) -> None:
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "complete.bash"
    script.write_text(capsys.readouterr().out)

    def completed(*words: str) -> set[str]:
        line = " ".join(map(shlex.quote, words))
        code = (
            f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1};"
            " _orchestrator; printf '%s\\n' \"${COMPREPLY[@]}\"; complete -p orchestrator"
        )
        ran = subprocess.run(["bash", "-uc", code], capture_output=True, text=True, check=True)
        *found, registered = ran.stdout.splitlines()
        assert registered == "complete -o default -F _orchestrator orchestrator"
        return set(found)

    assert completed("orchestrator", "ge") == {"generate"}
    assert completed("orchestrator", "generate", "--ag") == {"--agent-type"}
    assert completed("orchestrator", "generate", "--cache", "") == {"use", "refresh", "off"}
    assert completed("orchestrator", "runs", "sh") == {"show"}
    assert completed("orchestrator", "validate", "mod") == {""}  # bash goes on with files


def test_completion_speaks_to_zsh_and_fish_too(capsys: Output) -> None:
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.startswith("autoload -U +X bashcompinit")
    assert main(["completion", "fish"]) == 0
    out = capsys.readouterr().out
    assert "-f -a generate -d 'turn a description" in out
    assert "seen_subcommand_from generate' -l cache -x -a 'use refresh off'" in out


def test_every_help_has_an_example_and_the_defaults(capsys: Output) -> None:
    from orchestrator.cli.help import EXAMPLES

    for name in EXAMPLES:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert f"example: orchestrator {name} " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    out = capsys.readouterr().out
    assert "steps of the episode (default: 20)" in out
    assert '--expect "cell=r4c4 within 12 in 80%"\n' in out


@pytest.mark.parametrize("command", ["diff", "validate"])
def test_standard_input_is_one_file_only(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MODEL.read_bytes())))
    assert main([command, "-", "-"]) == 2
    assert "standard input can be one file only" in capsys.readouterr().err
