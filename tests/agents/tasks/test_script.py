"""A program of the user's cannot hang, flood, leave processes behind or see a key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator import AgentRegistry, AgentTask, ConfigError, TaskExecutor, TaskResult
from orchestrator.agents.tasks.script import run_script
from orchestrator.agents.tasks.task import ScriptError

SECRET = "sk-canary-4711-do-not-show"
OFFLINE = {"model_list": [{"model_name": "o", "litellm_params": {"model": "offline/library"}}]}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def ends(pid: int) -> bool:
    """Whether a process is gone, at the latest in a few seconds: a kill takes effect later."""
    for _ in range(200):
        with contextlib.suppress(FileNotFoundError):
            if is_alive(pid):
                time.sleep(0.02)
                continue
        return True
    return False


def registry(*script: str, **metadata: Any) -> AgentRegistry:
    made = AgentRegistry(OFFLINE, environ={**os.environ, "OPENAI_API_KEY": SECRET})
    made.register_agent("tool", "custom", "script", metadata={"script": list(script), **metadata})
    return made


async def ran(code: str, context: object = None, **metadata: Any) -> TaskResult:
    async with TaskExecutor(registry(sys.executable, "-c", code, **metadata)) as executor:
        task = AgentTask("t", "count the words", {"context": context})
        return await executor.execute(task, "tool")


async def test_a_program_reads_its_task_as_json_and_its_output_is_the_result() -> None:
    made = await ran("import sys; print(sys.stdin.read())", {"city": "Zürich"})
    asked = json.loads(made.output)
    assert (asked["task_id"], asked["description"]) == ("t", "count the words")
    assert asked["context"] == {"city": "Zürich"}
    assert asked["agent"] == {"name": "tool", "type": "custom", "model": ""}
    assert made.metadata["execution_method"] == "script"
    assert (made.metadata["cost"], made.metadata["script"]) == (0.0, sys.executable)
    json.dumps(dict(made.metadata))


async def test_a_program_sees_no_key_and_no_variable_that_is_not_known_to_be_harmless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("https_proxy", f"http://me:{SECRET}@proxy")
    made = registry(sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))")
    made.register_agent("model", "openai-gpt", "api", "m", SECRET)
    async with TaskExecutor(made) as executor:
        said = (await executor.execute(AgentTask("t", "show"), "tool")).output
    assert SECRET not in said
    assert "PATH" in json.loads(said)


async def test_no_shell_reads_an_argument() -> None:
    async with TaskExecutor(registry("echo", "$HOME; id", "*")) as executor:
        assert (await executor.execute(AgentTask("t", "say"), "tool")).output == "$HOME; id *"


async def test_children_that_are_left_behind_end_with_the_program() -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '300']).pid)"
    made = await ran(code, timeout_s=60)
    assert ends(int(made.output))
    assert made.metadata["seconds"] < 30  # the child held the pipe open


async def test_a_daemon_that_left_the_group_keeps_nobody_waiting() -> None:
    code = (
        "import subprocess; print(subprocess.Popen(['sleep', '300'], start_new_session=True).pid)"
    )
    made = await ran(code, timeout_s=60)
    os.kill(int(made.output), signal.SIGKILL)
    assert made.metadata["seconds"] < 30


FORKS = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(['sleep', '300'])
open(PATH, 'w').write(f'{os.getpid()} {child.pid}')
REST
"""


def pids_in(path: Path) -> list[int]:
    return [int(one) for one in path.read_text().split()]


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ("time.sleep(300)", "did not end within 3 s and was killed"),
        ("while True: print('x' * 1000)", "printed more than 1048576 bytes and was killed"),
        (
            "while True: print('x' * 100_000, file=sys.stderr); time.sleep(0.01)",
            "did not end within 3 s",
        ),
        ("os.close(0); os.close(1); os.close(2); time.sleep(300)", "did not end within 3 s"),
    ],
)
async def test_what_does_not_end_is_killed_with_all_its_children(
    tmp_path: Path, rest: str, why: str
) -> None:
    path = tmp_path / "pids"
    with pytest.raises(ScriptError, match=why):
        await ran(FORKS.replace("PATH", repr(str(path))).replace("REST", rest), timeout_s=3)
    assert all(map(ends, pids_in(path)))


async def until(path: Path) -> None:
    while not path.is_file() or len(path.read_text().split()) < 2:
        await asyncio.sleep(0.02)


async def test_a_task_that_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    path = tmp_path / "pids"
    code = FORKS.replace("PATH", repr(str(path))).replace("REST", "time.sleep(300)")
    task = asyncio.create_task(ran(code, timeout_s=300))
    await asyncio.wait_for(until(path), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(map(ends, pids_in(path)))


@pytest.mark.parametrize("turns", range(6))
async def test_a_task_that_is_cancelled_while_its_program_begins_leaves_no_process(
    tmp_path: Path, turns: int
) -> None:
    mark = tmp_path / "mark"
    script = ["sh", "-c", f"(sleep 1.5; touch {mark}) & wait"]
    async with TaskExecutor(registry(*script)) as executor:
        task = asyncio.create_task(executor.execute(AgentTask("t", "wait"), "tool"))
        for _ in range(turns):
            await asyncio.sleep(0)
        time.sleep(0.5)  # it goes on, and has a child by now
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.sleep(2)
    assert not mark.exists()


async def test_a_caller_that_leaves_again_and_again_while_a_program_begins_is_let_go() -> None:
    for first, second in [(2, 1), (3, 0), (2, 3), (4, 0), (5, 1)]:
        arguments = ["sh", "-c", "sleep 60"]
        task = asyncio.create_task(run_script(arguments, b"", dict(os.environ), timeout_s=60))
        for turns in (first, second, 0):
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task], timeout=20)
        assert task.cancelled()


async def test_a_program_need_not_read_what_it_is_given() -> None:
    code = "import os; os.close(0); print('done')"
    assert (await ran(code, "x" * 5_000_000)).output == "done"
    assert (await ran("print('done')", "x" * 5_000_000)).output == "done"


async def test_a_program_that_reads_late_gets_all_of_it() -> None:
    code = "import sys, time; time.sleep(0.3); print(len(sys.stdin.read()))"
    assert int((await ran(code, "x" * 5_000_000)).output) > 5_000_000


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", "ended well and printed nothing"),
        ("print('  ')", "ended well and printed nothing"),
        ("import sys; sys.stdout.buffer.write(b'ab\\xff')", "not UTF-8, at byte 2"),
        ("import sys; sys.exit('no\\x1b[2J luck')", r"ended with code 1; it said: no\\x1b"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("import os; os.killpg(0, 9)", "was ended by signal 9"),
    ],
)
async def test_an_output_that_is_none_is_an_error(code: str, why: str) -> None:
    with pytest.raises(ScriptError, match=why):
        await ran(code)


async def test_all_that_was_printed_before_the_end_is_there() -> None:
    code = "import sys; sys.stdout.write('x' * 1_000_000)"
    assert len((await ran(code)).output) == 1_000_000


async def test_a_program_that_went_away_since_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\necho yes\n")
    program.chmod(0o755)
    async with TaskExecutor(registry(str(program))) as executor:
        assert (await executor.execute(AgentTask("t", "say"), "tool")).output == "yes"
        program.chmod(0o644)
        with pytest.raises(ScriptError, match="cannot be run: Permission denied"):
            await executor.execute(AgentTask("t", "say"), "tool")
        program.unlink()
        with pytest.raises(ScriptError, match="cannot be run: No such file"):
            await executor.execute(AgentTask("t", "say"), "tool")
        program.write_bytes(b"\0\1")
        program.chmod(0o755)
        with pytest.raises(ScriptError, match="cannot be run: Exec format error"):
            await executor.execute(AgentTask("t", "say"), "tool")


def test_what_cannot_be_run_is_refused_when_it_is_registered(tmp_path: Path) -> None:
    plain = tmp_path / "plain.py"
    plain.write_text("print(1)")
    refused: list[tuple[object, str]] = [
        ("python tool.py", "is not a list of arguments"),
        ([], "is not a list of arguments"),
        (["python", 1], "is not a list of arguments"),
        (["a\0b"], "is not a list of arguments"),
        ([str(plain)], "is not a program that can be run"),
        ([str(tmp_path)], "is not a program that can be run"),
        (["no-such-program-4711"], "is not a program that can be run"),
    ]
    for script, why in refused:
        made = AgentRegistry(OFFLINE)
        with pytest.raises(ConfigError, match=why):
            made.register_agent("tool", "custom", "script", metadata={"script": script})
        assert len(made) == 0
    with pytest.raises(ConfigError, match=r"metadata\.script: is missing"):
        AgentRegistry(OFFLINE).register_agent("tool", "custom", "script")


async def test_many_programs_run_at_once_and_none_is_left() -> None:
    code = "import os, time; time.sleep(0.2); print(os.getpid())"
    async with TaskExecutor(registry(sys.executable, "-c", code)) as executor:
        tasks = [AgentTask(f"t{n}", "wait") for n in range(12)]
        made = await executor.execute_many(tasks, "tool", concurrency=6)
    pids = [int(one.output) for one in made]
    assert len(set(pids)) == 12
    assert all(map(ends, pids))
