"""No text of a stranger drives the terminal that it is shown on, or forges a line there."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import pty
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import Generation, Orchestrator, Report, Usage
from orchestrator.cli.commands import parser
from orchestrator.cli.main import main
from orchestrator.gmn.formats import comments_of, read, write_json, write_text
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from orchestrator.gmn.words.explain import explain
from orchestrator.types.diagnostics import Diagnostic, Severity
from orchestrator.types.errors import ConfigError
from orchestrator.types.visible import HIDDEN, json_text, logger_of, visible
from tests.support.documents import GOOD
from tests.support.examples import share_of
from tests.support.wire import Reply, WireServer, configured, for_commands

Raw = pytest.CaptureFixture[bytes]

#: Fills the clipboard, clears the screen, goes back, turns the direction, hides, forges a line.
CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"
HOSTILE = f"{CLIPBOARD}\x9b2J\x7f\b\r\u202e\u2066\u200b\ufeff\u2028\x85\nFORGED"
#: What a file name can hold.
NAME = HOSTILE.replace("\r", "")


def driving(text: str) -> list[str]:
    """The characters of `text` that a terminal obeys or hides."""
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [c for c in text if unicodedata.category(c) in hidden and c not in "\n\t"]


def assert_plain(*printed: bytes) -> None:
    for raw in printed:
        text = raw.decode()
        assert driving(text) == []
        assert [line for line in text.splitlines() if line.startswith("FORGED")] == []


def document(**changes: Any) -> dict[str, Any]:
    """A valid document with such text in every place that takes text."""
    spec = validate(GOOD).spec
    assert spec is not None
    made: dict[str, Any] = json.loads(
        json.dumps(spec.to_json()).replace('"c"', json.dumps(f"c{HOSTILE}"))
    )
    made |= {"name": f"walker{HOSTILE}", "description": HOSTILE, "agent_type": f"x{HOSTILE}"}
    made["metadata"] = [{"key": "assumptions", "value": HOSTILE}]
    for part in (*made["states"], *made["observations"], *made["actions"]):
        part["description"] = HOSTILE
    made["preferences"][0]["reason"] = HOSTILE
    return made | changes


def query(**changes: str) -> list[dict[str, Any]]:
    made = {
        "name": f"q{HOSTILE}", "trigger": "on_start", "trigger_value": 0.5, "inputs": ["place"],
        "prompt": f"{{place}}{HOSTILE}", "effect": "note", "target": "",
    }  # fmt: skip
    return [made | changes]


DOCUMENTS: dict[str, str] = {
    "doc": json.dumps(document()),
    "raw": json.dumps(document(), ensure_ascii=False),
    "names": json.dumps(document()).replace('"pos"', json.dumps(f"pos{HOSTILE}")),
    "queries": json.dumps(document(queries=query())),
    "unknown": json.dumps(document(queries=query(target=HOSTILE), **{HOSTILE: HOSTILE})),
    "types": json.dumps(document(policy={"horizon": HOSTILE, "selection": HOSTILE})),
    "prose": f"{HOSTILE}\n{GOOD}\n{HOSTILE}",
    "broken": f"{HOSTILE} node state {HOSTILE} {{",
    "comments": f"# {CLIPBOARD}\u202e\n{GOOD}# \x9b\x7f\u200b end\n",
    "good": GOOD,
}  # fmt: skip

#: For every command, what it is called with; {name} is the file of that document.
CASES: dict[str, list[str]] = {
    "generate": [
        "{hostile} -o {new}", "{hostile} --live", "{hostile} --live --json", "{hostile} -v",
        "x --route {hostile}", "x --provider {hostile}", "x --example {missing}",
        "x --image {missing}", "x --expect {hostile}", "x --constraint {hostile}=1",
        "x -o {missing}/x", "x --constraint {hostile}", "x --plan --route {hostile}",
        "faulty -o {new}", "faulty", "faulty --json", "faulty --live", "refused",
    ],
    "validate": [
        "-v {doc}", "--json -v {doc}", "--no-repair {raw}", "-v {names}", "--no-repair {names}",
        "-v {queries}", "-v {unknown}", "--json {unknown}", "-v {types}", "-v {prose}",
        "-v {broken}", "--json {broken}", "{missing}", "--json {missing}",
    ],
    "format": [
        "{doc}", "{raw} --to json", "--json {doc}", "{comments}", "--json {comments}", "{prose}",
        "{broken}", "--check {doc}", "--check {missing}", "{unknown}", "--to json {comments}",
    ],
    "explain": [
        "{doc}", "{raw}", "--all {doc}", "--json {doc}", "{names}", "{broken}", "{missing}",
    ],
    "simulate": [
        "{doc} --why", "{raw} --why", "{doc} --plot {new}.svg", "{doc} --plot {hostile}",
        "{doc}", "{raw} --json", "{doc} --expect {hostile}", "{doc} --expect {expected}",
        "{doc} --json --expect {expected}",
        "{broken}", "{missing}",
    ],
    "batch": [
        "{rows}", "{rows} -o {new}", "{rows} -o {new} --json --carry", "{rows} --budget {hostile}",
        "{rows} -o {new} --journal {broken}", "{rows} --operation structured --schema {broken}",
        "{doc}", "{missing}", "{rows} -o {rows}", "{rows} --operation ask --route {hostile}",
    ],
    "worker": ["--database {hostile}", "--database postgresql://{hostile}/x"],
    "import": ["{doc}", "{raw} --as {hostile}", "{broken}", "{prose}", "{missing}"],
    "diff": ["{doc} {raw}", "{doc} {names} --json", "{doc} {broken}", "{doc} {missing}"],
    "draw": [
        "{doc}", "{raw} --json", "{names} -o {new}.svg", "{raw} -o {new}.mmd", "{doc} -o {hostile}",
        "{doc} --trace --steps 2", "{broken}", "{missing}", "{unknown} -o {new}.svg",
    ],
    "library": ["", "{hostile}", "tmaze -o {missing}/x"],
    "refine": [
        "{doc} --feedback patched", "{comments} --feedback patched", "{doc} --feedback {hostile}",
        "{doc} --feedback patched --json", "{broken} --feedback x", "{missing} --feedback x",
        "{doc} --feedback faulty -o {new}",
    ],
    "models": ["", "--json", "--modes", "--modes --json", "--forget-modes"],
    "plan": ["{hostile}", "{hostile} --json", "x --route {hostile}", "x --expect {hostile}"],
    "health": ["", "--json", "--probe", "--probe --json"],
    "usage": [
        "", "--json", "--by agent_type", "--by model", "--by tenant", "--by route", "--by day",
        "--since {hostile}", "--by {hostile}",
    ],
    "eval": ["--prompts {cases}", "--prompts {cases} --json", "--prompts {missing}",
             "--prompts {broken}", "--prompts {cases} --plot {new}.svg",
             "--prompts {cases} --plot {missing}"],
    "export": ["--finetune {new}", "--finetune {missing}/x", "--json --finetune {new}"],
    "cache": [
        "info", "list", "show aaaa", "explain aaaa {doc}", "list --json",
        "show {hostile}", "explain {hostile} {hostile}",
        "explain {doc} {raw}", "verify", "export {new}", "export {missing}/x", "import {missing}",
        "import {broken}", "show {broken}", "{hostile}", "clear --tag {hostile}", "prune",
    ],
    "runs": ["list", "list --json", "show {run}", "show {run} --json", "show {hostile}"],
    "doctor": ["", "--json", "--probe"],
    "demo": ["", "--steps {hostile}"],
    "completion": ["bash", "zsh", "fish", "bash --json", "{hostile}"],
    "ask": ["{hostile} --search off", "{hostile} --json", "x --route {hostile}", "faulty"],
    "search": ["{hostile} --engine {hostile}", "{hostile} --json --engine nothing"],
    "serve": ["--host {hostile}", "--port {hostile}"],
    "lsp": ["", "--stdio", "{hostile}"],
    "keys": ["list", "create --tenant {hostile}", "revoke {hostile}", "{hostile}"],
    "memory": ["audit {hostile}", "forget {hostile}", "audit --json"],
    "client": ["--message {hostile} --url {hostile}", "--message x --url http://127.0.0.1:1"],
}  # fmt: skip
CALLS = [
    pytest.param(command, call, id=f"{command} {call}".strip())
    for command, calls in CASES.items()
    for call in [*calls, "--{hostile}", "--help"]
]


class World:
    """Files, a configuration and a provider that are all full of such text."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / f"d{NAME}"
        self.directory.mkdir()
        self.words = {name: self.file(name, text) for name, text in DOCUMENTS.items()}
        cases = [
            {"agent_type": "general", "prompt": f"{word} {HOSTILE}"} for word in ("x", "faulty")
        ]
        self.words |= {
            "hostile": HOSTILE, "expected": "pos=c* within 2 in 100%",
            "new": str(self.directory / "new"),
            "missing": str(self.directory / f"missing{NAME}"),
            "cases": self.file("cases", json.dumps(cases)),
            "rows": f"{self.directory / 'rows'}.jsonl",
        }  # fmt: skip
        rows = [{"id": HOSTILE, "prompt": f"x{HOSTILE}"}, {HOSTILE: 1}, {"prompt": "faulty"}]
        text = "\n".join(map(json.dumps, rows)) + f"\n{HOSTILE}\n"
        Path(self.words["rows"]).write_text(text, encoding="utf-8", newline="")

    def file(self, name: str, text: str) -> str:
        path = self.directory / f"{name}{NAME}"
        path.write_text(text, encoding="utf-8", newline="")
        return str(path)

    def arguments(self, command: str, call: str) -> list[str]:
        return [command, *(word.format(**self.words) for word in call.split(" ") if word)]


def answer(body: dict[str, Any]) -> Reply:
    last = " ".join(str(message["content"]) for message in body["messages"][1:])
    if "refused" in last:
        return Reply(status=400, error_message=f"refused: {HOSTILE}")
    if "patched" in last:
        operation = {"op": "replace", "path": "/description", "value": HOSTILE}
        return Reply(json.dumps([operation], ensure_ascii=False))
    if "faulty" in last:
        return Reply(json.dumps(document(priors=[{"of": HOSTILE}]), ensure_ascii=False))
    return Reply(f"Here: {CLIPBOARD}\x9b\u202e\n{DOCUMENTS['raw']}")


def config_of(wire: WireServer) -> dict[str, object]:
    group = f"g{HOSTILE}"
    settings = {
        "generation": {"max_calls": 1, "mode": "prompt"}, "routes": {"default": [group]},
        "cache": {"keep_accepted": True},
    }  # fmt: skip
    config: Any = configured(wire.base, "m", **settings)
    (deployment,) = config["model_list"]
    deployment |= {"model_name": group, "model_info": {"id": f"id{HOSTILE}"}}
    config["model_list"] += [
        {"model_name": f"left{HOSTILE}", "litellm_params": {"model": f"anthropic/x{HOSTILE}"}},
        {"model_name": f"here{HOSTILE}", "model_info": {"id": f"o{HOSTILE}"},
         "litellm_params": {"model": f"ollama_chat/x{HOSTILE}", "api_base": wire.root}},
    ]  # fmt: skip
    wire.decide = lambda asked: answer(asked.body)
    wire.plan(f"offered{HOSTILE}", "x")
    return config  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def kept(
    wire_server: WireServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """Cache and ledger after requests full of such text, and the run of one that failed."""
    directory = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(io.StringIO()) as err:
        patch.setenv("ORCHESTRATOR_CACHE_DIR", str(directory / "cache"))
        for_commands(config_of(wire_server), directory, patch)
        for prompt in (f"x{HOSTILE}", "faulty", "refused"):
            assert main(["generate", prompt, "-o", str(directory / "new"), "--cache", "use"]) != 2
        question = {"route": f"r{HOSTILE}", "messages": [["user", HOSTILE]]}
        entry = {"key": "a" * 64, "question": question, "answer": [3, 0.0, HOSTILE]}
        (directory / "entries").write_text(json.dumps(entry))
        assert main(["cache", "import", str(directory / "entries")]) == 0
    for ledger in (directory / "cache" / "ledger").glob("*.jsonl"):
        text = ledger.read_text(encoding="utf-8")
        fields = re.compile(r'("(?:tenant|route|agent_type)": ?)"[^"]*"')
        text = fields.sub(lambda found: found[1] + json.dumps(f"x{HOSTILE}"), text)
        ledger.write_text(text, encoding="utf-8")
    yield directory / "cache", err.getvalue().partition("orchestrator runs show ")[2].split()[0]
    wire_server.clear()


@pytest.fixture
def world(
    kept: tuple[Path, str], wire_server: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    made = World(tmp_path)
    made.words["run"] = kept[1]
    shutil.copytree(kept[0], tmp_path / "cache")
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(tmp_path / "cache"))
    for_commands(config_of(wire_server), tmp_path, monkeypatch)
    return made


def test_every_command_has_a_case() -> None:
    (found,) = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    assert set(CASES) == set(found.choices)


def run(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as left:
        return int(left.code or 0)


@pytest.mark.may_block
@pytest.mark.parametrize(("command", "call"), CALLS)
def test_no_command_lets_a_text_drive_the_terminal(
    command: str, call: str, world: World, capfdbinary: Raw
) -> None:
    code = run(world.arguments(command, call))
    printed = capfdbinary.readouterr()
    assert code in (0, 1, 2, 3, 4)
    assert_plain(*printed)
    if "--json" in call and printed.out:
        json.loads(printed.out)


# What follows looks at single doors.


@pytest.mark.may_block
@pytest.mark.parametrize("command", [["export", "--finetune"], ["cache", "export"]])
def test_files_of_json_lines_hold_escapes_that_read_back_equal(
    command: list[str], world: World, capfdbinary: Raw
) -> None:
    out = Path(world.words["new"])
    assert main([*command, str(out)]) == 0
    capfdbinary.readouterr()
    lines = out.read_text(encoding="utf-8")
    assert driving(lines) == []
    assert any(
        CLIPBOARD in text for line in lines.splitlines() for text in strings(json.loads(line))
    )


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)


@pytest.mark.may_block
def test_a_typed_result_and_its_recording_are_plain(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: WireServer
) -> None:
    config = config_of(wire)
    wire.decide = lambda asked: Reply(json.dumps({"said": HOSTILE}, ensure_ascii=False))
    monkeypatch.setenv("ORCHESTRATOR_CACHE_MODE", "record")
    monkeypatch.setenv("ORCHESTRATOR_CASSETTE", str(tmp_path / "cassette"))
    schema = {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]}
    with Orchestrator(config) as orc:
        made = orc.sync.generate_structured(f"say {HOSTILE}", schema)
    assert made.spec == {"said": HOSTILE}
    assert driving(str(made)) == []
    recorded = [path.read_text(encoding="utf-8") for path in (tmp_path / "cassette").iterdir()]
    assert recorded
    assert driving("".join(recorded)) == []


@pytest.mark.may_block
@pytest.mark.parametrize(
    ("command", "call"),
    [("explain", "{doc}"), ("simulate", "{doc}"), ("validate", "--no-repair {names}"),
     ("usage", "--by tenant"), ("usage", "--by route"), ("models", ""), ("doctor", ""),
     ("runs", "show {run}")],
)  # fmt: skip
def test_what_is_hidden_is_shown_as_an_escape(
    command: str, call: str, world: World, capfdbinary: Raw
) -> None:
    run(world.arguments(command, call))
    out = capfdbinary.readouterr().out
    seen = rb"\x1b]52;c;ZXZpbA==\x07\x9b2J\x7f\x08\r\u202e\u2066\u200b\ufeff\u2028\x85\nFORGED"
    assert seen in out


def test_json_holds_the_exact_text(world: World, capfdbinary: Raw) -> None:
    assert main(["format", world.words["doc"], "--to", "json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["description"] == HOSTILE


def process(*arguments: str, code: str = "") -> subprocess.CompletedProcess[bytes]:
    begin = f"{code}\nfrom orchestrator.cli.entry import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", f"import sys, logging, warnings\n{begin}", *arguments],
        capture_output=True,
        check=False,
    )


PATCHED = """
import orchestrator.cli.explain as explain
def run(arguments):
    {}
explain.run = run
"""


OTHERS = (
    "warnings.warn(TEXT); logging.getLogger('another').warning(TEXT); print(TEXT);"
    "sys.stderr.write(TEXT); logging.getLogger('another').error('%s', TEXT);"
    "import threading; t = threading.Thread(target={}.__getitem__, args=(TEXT,)); t.start();"
    "t.join(); "
)


@pytest.mark.parametrize(
    "ending", ["raise RuntimeError(TEXT)", "raise KeyboardInterrupt(TEXT)", "sys.exit(TEXT)"]
)
def test_what_others_print_in_a_command_goes_through_the_same_door(ending: str) -> None:
    text = HOSTILE.replace("\nFORGED", "")
    ran = process(
        "explain", "x", code=PATCHED.format((OTHERS + ending).replace("TEXT", ascii(text)))
    )
    assert_plain(ran.stdout, ran.stderr)
    assert ran.stdout.startswith(rb"\x1b]52;c;ZXZpbA==\x07")
    assert ran.stderr.count(rb"\x1b]52") >= 4


def test_colours_are_ours_alone(world: World) -> None:
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "orchestrator", "validate", world.words["broken"]],
        stdout=theirs, stderr=theirs, check=False,
        env={k: v for k, v in os.environ.items() if k != "NO_COLOR"},
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 100_000).decode().replace("\r\n", "\n")
    os.close(ours)
    assert "\033[31merror\033[0m" in shown
    for mark in ("\033[31m", "\033[33m", "\033[0m"):
        shown = shown.replace(mark, "")
    assert driving(shown) == []


def test_errors_and_findings_are_one_line_in_a_log() -> None:
    error = ConfigError(f"model_list.{HOSTILE}", HOSTILE, fix=HOSTILE)
    found = Diagnostic("GMN106", Severity.ERROR, HOSTILE)
    for shown in (str(error), str(found), explain(GMNSpec.model_validate(document()))):
        assert driving(shown) == []
        assert "\nFORGED" not in shown
        assert r"\x1b]52" in shown


def test_no_record_of_ours_forges_a_line_of_a_log(caplog: pytest.LogCaptureFixture) -> None:
    logger = logger_of("orchestrator.test")
    logger.warning("%s of %d cannot be read (%s)", Path(NAME), 3, OSError(2, HOSTILE))
    try:
        Path(NAME).read_bytes()
    except OSError:
        logger.exception("failed: %s", HOSTILE)
    logger.warning("%(what)s", {"what": HOSTILE})
    first, *_ = caplog.text.splitlines()
    assert first.endswith(r"\nFORGED')") or "FORGED" in first
    assert driving(caplog.text) == []
    assert "3 cannot be read" in first


def test_every_module_that_logs_has_such_a_logger() -> None:
    package = Path(__file__).parents[2] / "orchestrator"
    plain = [
        str(path)
        for path in package.rglob("*.py")
        if "getLogger(__name__)" in path.read_text(encoding="utf-8")
    ]
    assert plain == []


def test_a_notebook_shows_no_markup_of_a_stranger() -> None:
    found = Diagnostic(
        "CHECK", Severity.ERROR, "<img src=x onerror=alert(1)> ```` [x](javascript:)"
    )
    made: Generation[dict[str, object]] = Generation(
        {}, f"text {HOSTILE}", report=Report((found,)), attempts=(), usage=Usage(1, 1),
        cost_usd=None, cached=False,
    )  # fmt: skip
    shown = made._repr_markdown_()
    assert driving(shown) == []
    fence, *_ = shown.splitlines()
    parts = shown.split(f"{fence}\n")
    assert "<img" in shown
    assert all("<img" not in part for part in parts[0::2])


def test_comments_of_a_document_are_shown_as_what_they_hold() -> None:
    text = DOCUMENTS["comments"]
    spec = validate(text).spec
    assert spec is not None
    made = write_text(spec, comments_of(read(text).places))
    assert r"# \x1b]52;c;ZXZpbA==\x07\u202e" in made
    assert write_text(spec, comments_of(read(made).places)) == made


@settings(deadline=None, max_examples=share_of(50))
@given(st.text(st.characters()))
def test_what_is_shown_holds_nothing_hidden_and_stays_as_it_is(text: str) -> None:
    for lines in (True, False):
        shown = visible(text, lines=lines)
        assert driving(shown) == []
        assert visible(shown, lines=lines) == shown
    assert "\n" not in visible(text)


@settings(deadline=None, max_examples=share_of(50))
@given(st.dictionaries(st.text(), st.text()))
def test_json_reads_back_equal_and_holds_nothing_hidden(value: dict[str, str]) -> None:
    text = json_text(value, indent=1)
    assert driving(text) == []
    assert json.loads(text) == value


@settings(deadline=None, max_examples=share_of(50))
@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(max_size=5))
def test_written_documents_read_back_equal_and_hold_nothing_hidden(said: str, label: str) -> None:
    spec = validate(GOOD).spec
    assert spec is not None
    labels = (f"a{label}", "b", "c")
    states = (spec.states[0].model_copy(update={"labels": labels, "description": said}),)
    given_one = spec.model_copy(update={"states": states, "description": said})
    for text in (write_text(given_one), write_json(given_one)):
        assert driving(text) == []
        back = validate(text, repair="none").spec
        assert back is not None
        assert back.description == said
        composed = tuple(unicodedata.normalize("NFC", one) for one in labels)
        assert (back.states[0].description, back.states[0].labels) == (said, composed)


def test_the_list_of_hidden_characters_is_unicodes() -> None:
    listed = re.compile(f"[{HIDDEN}]")
    assert [
        hex(c)
        for c in range(0x110000)
        if (unicodedata.category(chr(c)) in ("Cc", "Cf", "Cs", "Zl", "Zp"))
        and chr(c) not in "\n\t"
        and not listed.match(chr(c))
    ] == []
    seen = "aé中ß±€\u2013 \u00a0🙂\ufe0f#…"
    assert listed.findall(seen) == []


def test_logging_is_named_like_the_module() -> None:
    assert logger_of("orchestrator.x") is logging.getLogger("orchestrator.x")
