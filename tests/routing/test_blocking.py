"""The blocking calls in processes of their own: threads, notebook, fork, exit, interrupt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.ledger.ledger import lines_of
from tests.support.wire import Reply, WireServer, configured

ROOT = Path(__file__).resolve().parents[2]
START = """
import asyncio, json, os, sys, threading
from orchestrator import Orchestrator, completion
orc = Orchestrator(json.loads(os.environ["CONFIG"]))
def ask(words):
    return orc.sync.generate([{"role": "user", "content": words}]).text
"""
SCRIPTS = {
    # No blocking call follows one on a second loop: LiteLLM's logging worker then loses a task.
    "threads, closing and going on, a running loop, exit without closing": """
threads = [threading.Thread(target=ask, args=(str(i),)) for i in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
orc.sync.close()
print(ask('a'))
async def cell():
    ask('b')
    return await orc.generate([{"role": "user", "content": "c"}])
asyncio.run(cell())
""",
    "exit in the middle of a stream": """
print(ask('a'))
stream = orc.sync.completion(model='m', messages=[{'role': 'user', 'content': 's'}], stream=True)
next(stream)
""",
    "after a fork": """
child = os.fork()
if child == 0:
    print(ask('child'))
    sys.stdout.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
ask('parent')
""",
    "a fork after a call": """
import warnings
from orchestrator.types.errors import NoDeploymentError
warnings.filterwarnings('ignore', 'This process', DeprecationWarning)  # of Python 3.12
print(ask('parent'))
sys.stdout.flush()
child = os.fork()
if child == 0:
    try:
        ask('child')
    except NoDeploymentError as error:
        os._exit(0 if 'spawn' in str(error) else 1)
    os._exit(2)
assert os.waitpid(child, 0)[1] == 0
ask('parent again')
""",
}
LINES = {
    "threads, closing and going on, a running loop, exit without closing": 11,
    "exit in the middle of a stream": 1,
    "after a fork": 2,
    "a fork after a call": 2,
}


def environ(wire: WireServer, home: Path) -> dict[str, str]:
    config: dict[str, Any] = configured(wire.base, "m", cache={"mode": "off"})
    keys = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE"))}
    return {**keys, "CONFIG": json.dumps(config), "HOME": str(home),
            "ORCHESTRATOR_CACHE_DIR": str(home)}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_it_works_and_leaves_no_word_behind(name: str, wire: WireServer, tmp_path: Path) -> None:
    wire.plan("m", "good")
    ran = subprocess.run(
        [sys.executable, "-c", START + SCRIPTS[name]], cwd=ROOT, capture_output=True, text=True,
        env=environ(wire, tmp_path), timeout=110, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout.split()) == (0, ["good"]), ran.stderr
    assert ran.stderr == ""
    found = list(lines_of(tmp_path / "ledger"))
    assert len(found) >= LINES[name]
    assert sum(len(line["wire"]) for line in found if line["outcome"] == "answered") >= LINES[name]


INTERRUPTED = """
from orchestrator.cli.main import main
try:
    ask('a')
except KeyboardInterrupt:
    print('left', flush=True)
orc.sync.close()
sys.exit(main(['generate', 'a walker']))
"""


def reaches(count: Callable[[], int], wanted: int) -> None:
    """Wait until so many are counted; loading LiteLLM may take long beside other tests."""
    for _ in range(1200):
        if count() >= wanted:
            return
        time.sleep(0.05)


def test_an_interrupt_cancels_the_call_and_records_it(wire: WireServer, tmp_path: Path) -> None:
    """Of a blocking call, then of a command: one process, as each would load LiteLLM."""
    wire.plan("m", Reply("late", delay_s=60))
    env = environ(wire, tmp_path)
    (config := tmp_path / "config.yaml").write_text(env["CONFIG"])
    process = subprocess.Popen(
        [sys.executable, "-c", START + INTERRUPTED], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**env, "ORCHESTRATOR_CONFIG": str(config)},
    )  # fmt: skip
    for count in (1, 2):
        reaches(lambda: len(wire.requests), count)
        process.send_signal(signal.SIGINT)
        reaches(lambda: wire.cancelled, count)  # the server hears of it a moment later
    out, err = process.communicate(timeout=30)
    assert (out, process.returncode) == ("left\n", 130)
    assert err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in err
    assert [line["outcome"] for line in lines_of(tmp_path / "ledger")] == ["cancelled"] * 2
    assert wire.cancelled == 2
