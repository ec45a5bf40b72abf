"""What is answered without a language model never loads LiteLLM, which takes seconds."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.commands import parser
from orchestrator.cli.help import EXAMPLES

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "prompts" / "library" / "thermostat.gmn"
#: All in one process, which takes as long to start as each of them does to run.
RUN = """
import contextlib, json, os, sys
from orchestrator.cli.main import main
for name, arguments, config in json.loads(sys.argv[1]):
    os.environ["ORCHESTRATOR_CONFIG"] = config
    with open(sys.argv[2], "w+") as said:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                code = main(arguments)
            except SystemExit as ended:  # a wrong argument
                code = ended.code
        said.seek(0)
        print(json.dumps([name, "litellm" in sys.modules, code, said.read()]))
"""
ONE = """
import sys
from orchestrator.cli.main import main
code = main(sys.argv[2:])
heavy = [name for name in sys.argv[1].split() if name in sys.modules]
print("loaded:", *heavy, code, file=sys.stderr)
"""
HEAVY = ("jsonschema", "filelock", "numpy.ma", "httpx", "ddgs", "trafilatura")
#: What only a document needs that is repaired, expected something of, or carelessly written.
SELDOM = (
    "jsonpatch", "pyjson5", "html", "logging", "orchestrator.gmn.acting.expectations",
    "orchestrator.gmn.acting.simulate", "orchestrator.gmn.imports.cassandra_write",
)  # fmt: skip
#: What only a request needs that is searched for or asked in stages.
OTHERS = (
    "html", "orchestrator.generation.search.need", "orchestrator.generation.search.augment",
    "orchestrator.generation.staged.course", "orchestrator.models.profiles",
    "orchestrator.routing.searching",
)  # fmt: skip
LOCAL_ONLY = """
model_list: [{model_name: big, litellm_params: {model: openai/gpt-4o, api_key: sk-nothing}}]
orchestrator: {privacy: local_only}
"""
DAILY, ONCE = (
    LOCAL_ONLY.replace("privacy: local_only", f"budgets: {{{name}: 0.00001}}")
    for name in ("usd_per_day", "usd_per_request")
)
#: What a file refuses, with the file.
REFUSED = {
    "privacy": (["generate", "a thermostat"], 2, LOCAL_ONLY),
    "privacy of a plan": (["plan", "a thermostat"], 2, LOCAL_ONLY),
    "a budget of the day": (["generate", "a thermostat"], 3, DAILY),
    "a budget of the request": (["generate", "a thermostat"], 3, ONCE),
}
COMMANDS = {
    "the embedded provider": (["generate", "a thermostat for a cold room"], 0),
    "the same from the cache": (["generate", "a thermostat for a cold room"], 0),
    "a stream of it": (["generate", "a physician who tests", "--live"], 0),
    "a change": (["refine", str(MODEL), "--feedback", "look 3 steps ahead"], 0),
    "a plan": (["plan", "a thermostat for a cold room"], 0),
    "an unknown route": (["generate", "a thermostat", "--route", "nowhere"], 2),
    "a provider without its key": (["generate", "a thermostat", "--provider", "openai"], 3),
    "the health": (["health"], 0),
    "a wrong argument": (["generate", "a thermostat", "--seed", "never"], 2),
    "a wrong constraint": (["generate", "a thermostat", "--constraint", "max_stats=3"], 2),
    "no description": (["generate", " "], 2),
    "a document that is not valid": (["validate", "-"], 1),
    "usage": (["usage"], 0),
    "the cache": (["cache", "info"], 0),
    "models": (["models"], 0),
}


def test_it_is_answered_without_litellm(tmp_path: Path) -> None:
    commands = {name: (*command, "") for name, command in COMMANDS.items()} | REFUSED
    asked = []
    for name, (arguments, _, config) in commands.items():
        file = tmp_path / f"{name}.yaml"
        file.write_text(config, encoding="utf-8")
        asked.append((name, arguments, str(file) if config else ""))
    ran = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(asked), str(tmp_path / "said")],
        capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": str(tmp_path), "ORCHESTRATOR_CACHE_DIR": str(tmp_path),
             "PYTHONPATH": str(ROOT)}, input="",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [name for name, *_ in found] == list(commands)
    for name, is_loaded, code, said in found:  # the first that loads it is the one to blame
        assert (is_loaded, code) == (False, commands[name][1]), (name, said)


@pytest.mark.parametrize("name", ["the cache", "validate"])
def test_an_answer_that_is_there_takes_no_library_that_only_others_need(
    name: str, tmp_path: Path
) -> None:
    asked = ["generate", "a thermostat for a cold room"]
    commands = [asked, asked] if name == "the cache" else [["validate", str(MODEL)]]
    found = [loaded(tmp_path, arguments, ("litellm", *HEAVY)) for arguments in commands]
    assert found[-1] == "loaded: 0"


@pytest.mark.parametrize("command", ["validate", "format", "explain"])
def test_a_good_document_takes_nothing_that_only_others_need(command: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, [command, str(MODEL)], (*HEAVY, *SELDOM)) == "loaded: 0"


def test_what_is_not_searched_for_takes_nothing_of_searches_and_stages(
    tmp_path: Path,
) -> None:
    asked = ["generate", "a thermostat for a cold room"]
    first, again = (loaded(tmp_path, asked, (*OTHERS, "orchestrator.cli.progress")) for _ in "12")
    assert (first, again) == ("loaded: orchestrator.cli.progress 0",) * 2


@pytest.mark.parametrize("arguments", [["cache", "info"], ["usage"]])
def test_what_only_looks_into_files_does_not_load_asyncio(
    arguments: list[str], tmp_path: Path
) -> None:
    assert loaded(tmp_path, arguments, ("asyncio", "numpy", "ssl")) == "loaded: 0"


def loaded(home: Path, arguments: list[str], heavy: tuple[str, ...]) -> str:
    """The last line of a command's process: which of the `heavy` it loaded, and its exit code."""
    ran = subprocess.run(
        [sys.executable, "-c", ONE, " ".join(heavy), *arguments], capture_output=True, text=True,
        check=False, input="",
        env={**os.environ, "HOME": str(home), "ORCHESTRATOR_CACHE_DIR": str(home),
             "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return ran.stderr.splitlines()[-1]


LOOKED = """
import gc, sys
from orchestrator.cli.entry import main
sys.argv = ["orchestrator", "--version"]
try:
    main()
except SystemExit:
    pass
before = gc.get_threshold()[0]
gc.collect()
print(before, gc.get_threshold()[0])
"""


def test_a_command_that_goes_on_looks_for_garbage_more_often() -> None:
    """Else what the rows of a batch leave behind waits for that of thousands of others."""
    shown = subprocess.run(
        [sys.executable, "-c", LOOKED], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert shown.stdout.split()[-2:] == ["250000", "10000"]


ASKED = """
import gc, sys
from orchestrator.routing import _litellm
if "command" in sys.argv:
    from orchestrator.cli.entry import main
    sys.argv = ["orchestrator", "--version"]
    try:
        main()
    except SystemExit:
        gc.unfreeze()  # which it does as it ends
if "off" in sys.argv:
    gc.disable()
_litellm.load()
print(gc.get_freeze_count() // 100_000, gc.isenabled(), gc.get_threshold()[0])
"""


@pytest.mark.parametrize(
    ("process", "said"),
    [("command", "True 10000"), ("program", "0 True 700"), ("off", "0 False 700")],
)
def test_what_litellm_brings_is_never_looked_through_for_garbage_in_a_command_alone(
    process: str, said: str
) -> None:
    """In a program its objects are others' as well; and how it looks for garbage is its own."""
    shown = subprocess.run(
        [sys.executable, "-c", ASKED, process], capture_output=True, text=True, check=True, cwd=ROOT
    )
    last = shown.stdout.splitlines()[-1]
    assert last.endswith(said)
    if process == "command":
        assert int(last.split()[0]) > 2


THREADS = """
import os, sys
from orchestrator.cli.entry import main
sys.argv = ["orchestrator", "--version"]
try:
    main()
except SystemExit:
    print(os.environ.get("OPENBLAS_NUM_THREADS"))
"""


@pytest.mark.parametrize(
    ("stated", "taken"),
    [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2"), ({"OMP_NUM_THREADS": "2"}, "None")],
)
def test_a_command_computes_on_one_thread_where_nobody_says_how_many(
    stated: dict[str, str], taken: str
) -> None:
    """Further ones of OpenBLAS burn a fifth of the CPU of `validate` while they wait for work."""
    own = {
        k: v for k, v in os.environ.items() if k not in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    }
    shown = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**own, **stated},
    )  # fmt: skip
    assert shown.stdout.split()[-1] == taken


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_command_explains_itself_as_among_all_others(name: str) -> None:
    """The parser that is built for one command alone is as that of the whole command line."""
    among, alone = (commands_of(parser(asked)) for asked in ("", name))
    assert list(alone) == [name]
    assert alone[name].format_help() == among[name].format_help()


def commands_of(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (found,) = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found.choices)
