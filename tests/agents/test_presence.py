"""Whose a turn is: that of a living process is left alone, that of a dead one is found."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.agents import presence, statements
from orchestrator.agents.interaction import Call
from orchestrator.agents.memory import Memory

pytestmark = pytest.mark.may_block
_BEGIN = """
import sys
from orchestrator.agents.interaction import Call
from orchestrator.agents.memory import Memory
memory = Memory(sys.argv[1])
print(memory.begin(Call("hello", "ada"), "cherry").id, flush=True)
sys.stdin.read()
"""


def test_a_turn_is_open_once_its_process_is_dead(database: str, tmp_path: Path) -> None:
    memory = Memory(database)
    command = [sys.executable, "-c", _BEGIN, database]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        turn_id = process.stdout.readline().strip()
        assert memory.turn(turn_id, tenant="").state == "asked"
        assert memory.open_turns() == []
        process.kill()
    for _ in range(600):
        if found := memory.open_turns():
            break
        time.sleep(0.05)
    assert [turn.id for turn in found] == [turn_id]
    assert list(tmp_path.glob("*.lock")) == []
    memory.close()


def test_processes_that_end_leave_nothing_behind(database: str, tmp_path: Path) -> None:
    first, second = Memory(database), Memory(database)
    turn = first.begin(Call("hello", "ada"), "cherry")
    assert second.open_turns() == []
    first.close()
    assert [one.id for one in second.open_turns()] == [turn.id]
    assert list(tmp_path.glob("*.lock")) == []
    second.close()


def test_a_turn_that_another_process_has_taken_does_not_fail(database: str) -> None:
    first, second = Memory(database), Memory(database)
    turn = first.begin(Call("hello", "ada"), "cherry")
    taken = second.ask(turn.id, {"messages": []})
    first.fail(turn, {"error": "Interrupted"})
    assert first.turn(turn.id, tenant="").state == "asked"
    second.fail(taken, {"error": "ServiceUnavailableError"})
    assert first.turn(turn.id, tenant="").state == "failed"
    first.close()
    second.close()


def test_a_session_that_postgresql_ended_is_held_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.startswith("sqlite"):
        pytest.skip("a file's lock is not lost")
    monkeypatch.setattr(presence, "_LOOK_S", 0.0)
    first, second = Memory(database), Memory(database)
    first.begin(Call("hello", "ada"), "cherry")
    with second.engine.begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert len(second.open_turns()) == 1
    first.begin(Call("hello again", "ada"), "cherry")
    assert second.open_turns() == []
    first.close()
    second.close()


def test_no_statement_of_a_message_reads_more_than_it_needs(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "memory.db"))
    theirs = [one for one in vars(statements).values() if isinstance(one, sa.Select)]
    assert len(theirs) >= 9
    with memory.engine.connect() as connection:
        for statement in theirs:
            text = statement.compile(memory.engine)
            values = tuple(1 for _ in text.positiontup or ())
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all()
            steps = [str(row[-1]) for row in plan]
            assert steps, text
            assert all("USING INDEX" in step for step in steps), (str(text), steps)
    memory.close()
