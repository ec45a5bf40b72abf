"""`orchestrator batch`: what stands in the output, what is paid, and how it ends."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from orchestrator import BudgetExceededError, Orchestrator
from orchestrator.cli.main import main
from orchestrator.client.batch import output as written_files
from orchestrator.config.paths import shipped
from orchestrator.gmn.examples import load
from orchestrator.routing.transport import Transport
from orchestrator.types.own_process import OWN_LOOP
from tests.support.documents import GOOD
from tests.support.wire import Reply, WireServer, configured, for_commands

Wire = WireServer
ROOT = Path(__file__).parents[2]


@pytest.fixture
def asks(wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WireServer:
    """A server that says what was asked, cache off; the working directory is the test's."""
    for_commands(configured(wire.base, "m", cache={"mode": "off"}), tmp_path, monkeypatch)
    wire.decide = lambda asked: Reply(f"answer to {asked.body['messages'][-1]['content']}")
    monkeypatch.chdir(tmp_path)
    return wire


def rows_of(*rows: Any, name: str = "in.jsonl") -> str:
    Path(name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return name


def batch(*more: str, code: int = 0, output: str | None = "out.jsonl") -> list[dict[str, Any]]:
    given = ["batch", "in.jsonl", "--operation", "ask", *more]
    assert main([*given, *(["-o", output] if output else [])]) == code
    lines = Path(output).read_text().splitlines() if output and Path(output).exists() else []
    return [json.loads(line) for line in lines]


def prompts(wire: Wire) -> Counter[str]:
    return Counter(body["messages"][-1]["content"] for body in wire.requests)


def test_every_row_has_its_line_with_answer_and_cost(asks: Wire) -> None:
    rows_of({"id": "a", "prompt": "one"}, {"id": 2, "prompt": "two", "note": None}, "three")
    found = {one["line"]: one for one in batch()}
    assert [found[n]["text"] for n in (1, 2, 3)] == [f"answer to {n}" for n in
                                                     ("one", "two", "three")]  # fmt: skip
    assert (found[1]["id"], found[2]["id"], found[3].get("id")) == ("a", 2, None)
    assert all(one["status"] == "done" and one["cost_usd"] > 0 for one in found.values())
    assert len({one["key"] for one in found.values()}) == 3
    again = batch()
    assert {one["line"]: one for one in again} == found
    assert asks.served.requests == 3


@pytest.mark.parametrize("is_command", [True, False])
async def test_rows_set_out_side_by_side_where_the_loop_is_the_commands_own(
    asks: Wire, monkeypatch: pytest.MonkeyPatch, *, is_command: bool
) -> None:
    set_out: list[bool] = []
    send = Transport.send

    async def sent(*given: Any, **more: Any) -> Any:
        set_out.append(OWN_LOOP.get())
        return await send(*given, **more)

    monkeypatch.setattr(Transport, "send", sent)
    if is_command:
        rows_of("one", "two")
        await asyncio.to_thread(batch)
    else:
        async with Orchestrator() as orc:
            assert [row.status async for row in orc.batch(["one", "two"], operation="ask")]
    assert set_out == [is_command] * 2


def test_a_bad_row_is_a_row_and_says_the_way_on(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of({"prompt": "one"}, {"prompt": "two", "colour": "red"})
    with Path("in.jsonl").open("a") as file:
        file.write("not json\n")
    found = {one["line"]: one for one in batch(code=1)}
    assert "'colour' is not known" in found[2]["error"]["message"]
    assert "not JSON" in found[3]["error"]["message"]
    said = capsys.readouterr()
    assert "2 rows failed; of this run: 2 RowError" in said.err
    assert "--retry-failed" in said.err
    assert said.out == ""
    found = {one["line"]: one for one in batch("--retry-failed", "--carry", code=1)}
    assert found[2]["carried"] == {"colour": "red"}
    assert found[2]["text"] == "answer to two"
    assert asks.served.requests == 2


def test_the_first_row_that_failed_is_shown_beside_the_count(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of("one", {"promt": "two"}, {"prompt": 3})
    batch(code=1)
    assert "the first: line 2: the field 'promt' is not known" in capsys.readouterr().err


def test_the_same_command_again_says_that_the_rows_are_of_earlier_runs(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of("one", "two")
    batch()
    assert "earlier" not in capsys.readouterr().err
    rows_of("one", "two", "three")
    batch()
    assert "3 rows (2 of earlier runs)" in capsys.readouterr().err


def test_an_output_in_a_directory_that_is_not_there_is_refused_before_anything_is_asked(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of("one")
    batch(output="missing/out.jsonl", code=2)
    assert "the output missing/out.jsonl needs the directory" in capsys.readouterr().err
    batch("--journal", "missing/journal", code=2)
    assert "the journal missing/journal needs the directory" in capsys.readouterr().err
    assert not asks.requests


def test_a_failed_request_is_tried_again_when_that_is_asked_and_no_other(asks: Wire) -> None:
    asks.decide = lambda asked: Reply(status=400) if "two" in str(asked.body) else Reply("fine")
    rows_of("one", {"id": 1, "prompt": "two"}, {"id": 2, "prompt": "two"}, "three")
    found = batch(code=1)
    failed = [one for one in found if one["status"] == "failed"]
    assert [one["error"]["kind"] for one in failed] == ["BadRequestError"] * 2
    assert len(found) == 4
    asked = asks.served.requests
    assert len(batch(code=1)) == 4
    assert asks.served.requests == asked
    asks.decide = lambda asked: Reply("now")
    found = batch("--retry-failed")
    assert asks.served.requests == asked + 1
    assert sorted(one["line"] for one in found) == [1, 2, 3, 4]
    assert Counter(one["text"] for one in found) == {"fine": 2, "now": 2}


def test_equal_requests_cost_once_and_only_one_row_shows_the_cost(asks: Wire) -> None:
    rows_of(*({"id": n, "prompt": "same"} for n in range(30)))
    found = batch()
    assert asks.served.requests == 1
    assert sorted(one["id"] for one in found) == list(range(30))
    assert sum(not one.get("shared") for one in found) == 1
    (first,) = (one for one in found if not one.get("shared"))
    assert sum(one["cost_usd"] for one in found) == first["cost_usd"] > 0
    assert sum(one["calls"] for one in found) == 1


@pytest.mark.parametrize("reply", [Reply(""), Reply(" \n"), Reply("", refusal="I will not")])
def test_an_answer_without_text_is_not_a_valid_one(asks: Wire, reply: Reply) -> None:
    asks.decide = lambda asked: reply
    rows_of("one")
    (found,) = batch(code=1)
    assert (found["status"], found["valid"]) == ("done", False)


def test_an_input_that_changed_pays_for_what_is_new_alone(asks: Wire) -> None:
    rows_of("one", "two", "two")
    batch()
    rows_of("zero", "two", "one", "two", "one")
    found = batch()
    assert prompts(asks) == {"one": 1, "two": 1, "zero": 1}
    assert Counter(one["text"].split()[-1] for one in found) == {"one": 2, "two": 2, "zero": 1}


def test_rows_come_in_order_where_that_is_asked(asks: Wire) -> None:
    asks.decide = lambda asked: Reply("x", delay_s=0.001 * (len(str(asked.body)) % 7))
    rows_of(*(f"prompt {'x' * (n * 5 % 7)}{n}" for n in range(40)))
    assert [one["line"] for one in batch("--ordered")] == list(range(1, 41))
    batch("--ordered", "--retry-failed", code=2)


def test_an_output_that_is_not_in_the_order_of_the_input_is_said_to_be_so(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "rows of earlier runs stand where the input has others"
    rows_of("a", "c")
    batch("--ordered")
    rows_of("a", "c", "d")
    batch("--ordered")
    assert words not in capsys.readouterr().err
    rows_of("a", "b", "c", "d")
    assert [one["text"][-1] for one in batch("--ordered")] == ["a", "c", "d", "b"]
    assert words in capsys.readouterr().err
    rows_of("c", "a")
    batch()
    assert words not in capsys.readouterr().err
    batch("--ordered")
    assert words in capsys.readouterr().err
    Path("out.jsonl").unlink()
    assert [one["text"][-1] for one in batch("--ordered")] == ["c", "a"]
    assert words not in capsys.readouterr().err
    assert asks.served.requests == 4


def test_rows_on_standard_output_are_all_rows_each_time(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of("one", "two")
    for _ in range(2):
        batch("--journal", "kept", output="-")
        said = capsys.readouterr()
        assert sorted(json.loads(line)["line"] for line in said.out.splitlines()) == [1, 2]
        assert "2 rows" in said.err
    assert asks.served.requests == 2
    batch(output="-")
    assert asks.served.requests == 4


def test_a_budget_of_calls_stops_cleanly_and_a_larger_one_goes_on(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of(*(f"p{n}" for n in range(20)))
    found = batch("--budget", "7calls", "--concurrency", "3", code=5)
    assert len(found) == asks.served.requests == 7
    assert "of 7 are left" in capsys.readouterr().err
    assert len(batch("--budget", "7calls", code=5)) == 7
    assert asks.served.requests == 7
    assert len(batch("--budget", "30calls")) == 20
    assert asks.served.requests == 20


def test_a_budget_of_dollars_is_never_passed(asks: Wire) -> None:
    rows_of(*({"prompt": f"p{n}", "max_tokens": 50} for n in range(40)))
    found = batch("--budget", "0.0003usd", code=5)
    spent = sum(row["cost_usd"] for row in found)
    assert 0.00018 < spent <= 0.0003
    assert asks.served.requests == len(found) < 40
    batch("--budget", "some", code=2)


@pytest.mark.parametrize("place", ["litellm_params", "default_litellm_params"])
def test_answers_that_a_deployment_samples_otherwise_are_another_job(
    asks: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], place: str,
) -> None:  # fmt: skip
    rows_of("one")

    def configure(**stated: Any) -> None:
        config: Any = configured(asks.base, "m", cache={"mode": "off"})
        if place == "litellm_params":
            config["model_list"][0][place] |= stated
        else:
            config["router_settings"][place] = stated
        for_commands(config, tmp_path, monkeypatch)

    configure(temperature=0.2)
    batch()
    configure(temperature=0.2, timeout=50)  # says nothing of the answers
    batch()
    configure(temperature=0.9)
    batch(code=2)
    assert """sampling was '{"temperature": "0.2"}' and is '{"temperature": "0.9"}'""" in (
        capsys.readouterr().err
    )
    assert asks.served.requests == 1


def test_another_job_is_refused_with_what_differs(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of("one")
    batch()
    before = Path("out.jsonl").read_bytes()
    assert main(["batch", "in.jsonl", "-o", "out.jsonl", "--operation", "validate"]) == 2
    assert "operation was 'ask' and is 'validate'" in capsys.readouterr().err
    assert main(["batch", "in.jsonl", "-o", "new", "--journal", "out.jsonl.journal"]) == 2
    assert "operation was 'ask' and is 'generate'" in capsys.readouterr().err
    assert Path("out.jsonl").read_bytes() == before
    assert asks.served.requests == 1


@pytest.mark.parametrize("content", [b"my notes\n", b"no end", b"\n", b'{"job":"other"}\n', b"{"])
def test_a_file_of_somebody_else_is_not_touched(asks: Wire, content: bytes) -> None:
    rows_of("one")
    Path("out.jsonl").write_bytes(content)
    if content != b"{":  # which may be what a kill left
        assert main(["batch", "in.jsonl", "-o", "out.jsonl", "--operation", "ask"]) == 2
        assert Path("out.jsonl").read_bytes() == content
        assert asks.served.requests == 0
    else:
        assert len(batch()) == 1


def test_a_torn_line_is_cut_and_a_deleted_line_written_again_unpaid(asks: Wire) -> None:
    rows_of("one", "two", "three")
    batch()
    lines = Path("out.jsonl").read_bytes().splitlines(keepends=True)
    Path("out.jsonl").write_bytes(lines[0] + lines[2][:40])
    assert sorted(one["line"] for one in batch()) == [1, 2, 3]
    assert asks.served.requests == 3


def test_an_output_without_its_journal_is_gone_on_with(asks: Wire) -> None:
    rows_of("one", "two")
    batch()
    Path("out.jsonl.journal").unlink()
    rows_of("one", "two", "three")
    assert sorted(one["line"] for one in batch()) == [1, 2, 3]
    assert asks.served.requests == 3


def test_a_last_line_without_its_end_is_not_paid_again(asks: Wire) -> None:
    rows_of("one", "two")
    batch()
    Path("out.jsonl.journal").unlink()
    Path("out.jsonl").write_bytes(Path("out.jsonl").read_bytes()[:-1])  # as some editors do
    rows_of("one", "two", "three")
    assert sorted(one["line"] for one in batch()) == [1, 2, 3]
    assert asks.served.requests == 3


@pytest.mark.parametrize("is_replaced", [False, True])
def test_an_output_that_is_removed_meanwhile_stops_the_batch_and_loses_nothing(
    asks: Wire, capsys: pytest.CaptureFixture[str], *, is_replaced: bool
) -> None:
    rows_of(*(f"p{n}" for n in range(8)))

    def decide(asked: Any) -> Reply:
        if asks.served.requests == 4:
            Path("out.jsonl").unlink()
            if is_replaced:
                Path("out.jsonl").write_text("something else\n")
        return Reply("fine")

    asks.decide = decide
    assert main(["batch", "in.jsonl", "--operation", "ask", "-o", "out.jsonl",
                 "--concurrency", "1"]) == 4  # fmt: skip
    assert "it was removed, or another file put in its place" in capsys.readouterr().err
    Path("out.jsonl").unlink(missing_ok=True)
    assert len(batch()) == 8
    assert asks.served.requests == 8


def test_a_journal_that_is_damaged_says_what_is_kept_without_it(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of(*(f"p{n}" for n in range(200)))
    batch()
    journal = Path("out.jsonl.journal")
    raw = journal.read_bytes()
    journal.write_bytes(raw[:8192] + b"\x5a" * (len(raw) - 8192))
    batch("--retry-failed", code=4)
    assert "Move it away; rows that the output holds" in capsys.readouterr().err
    journal.unlink()
    assert len(batch()) == 200
    assert asks.served.requests == 200


@pytest.mark.parametrize("content", ["[]", "5", '"a"', "null", "{"])
def test_what_is_not_a_schema_is_refused(
    asks: Wire, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    rows_of("one")
    Path("schema.json").write_text(content)
    given = ["batch", "in.jsonl", "--operation", "structured", "--schema", "schema.json"]
    assert main(given) == 2
    assert "schema.json is not a JSON Schema" in capsys.readouterr().err


def test_one_file_cannot_be_two_things(asks: Wire) -> None:
    rows_of("one")
    batch(output="in.jsonl", code=2)
    batch("--journal", "in.jsonl", code=2)
    batch("--journal", "./out.jsonl", code=2)
    Path("link").symlink_to("in.jsonl")
    batch(output="link", code=2)
    assert Path("in.jsonl").read_text() == '"one"\n'


def test_two_processes_do_not_share_a_journal_or_an_output(asks: Wire) -> None:
    rows_of("one")
    held = written_files.Output(Path("out.jsonl"), "x")
    batch(code=2)
    held.close()
    batch()
    other = sqlite3.connect("out.jsonl.journal")
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    batch(code=2)
    other.close()
    batch()


@pytest.mark.parametrize("output", ["new.jsonl", "there.jsonl"])
def test_a_batch_that_is_refused_leaves_nothing_where_nothing_was(
    asks: Wire, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    rows_of("one")
    Path("there.jsonl").touch()
    before = sorted(Path().iterdir())
    batch("--operation", "validate", "--engine", "provider", output=output, code=2)
    assert "validate asks no model" in capsys.readouterr().err
    assert sorted(Path().iterdir()) == before
    batch(output="first.jsonl")
    other = sqlite3.connect("first.jsonl.journal")
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    before = sorted(Path().iterdir())
    batch("--journal", "first.jsonl.journal", output=output, code=2)
    assert "another process works on it" in capsys.readouterr().err
    assert sorted(Path().iterdir()) == before
    other.close()


def test_a_full_disk_keeps_the_answers_and_says_so(
    asks: Wire, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of(*(f"p{n}" for n in range(10)))
    whole = written_files.Output.write

    def full(self: Any, lines: list[str]) -> None:
        whole(self, lines[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(written_files.Output, "write", full)
    batch("--concurrency", "2", code=4)
    assert "every answer is kept" in capsys.readouterr().err
    asked = asks.served.requests
    assert 0 < asked < 10
    monkeypatch.setattr(written_files.Output, "write", whole)
    assert sorted(one["line"] for one in batch()) == list(range(1, 11))
    assert asks.served.requests == 10


def test_a_key_that_is_refused_stops_before_a_million_rows(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    asks.decide = lambda asked: Reply(status=401)
    rows_of(*(f"p{n}" for n in range(200)))
    found = batch("--concurrency", "4", code=3)
    assert 20 <= len(found) < 60
    assert {one["error"]["kind"] for one in found} == {"AuthenticationError"}
    assert "stopped: " in capsys.readouterr().err


def test_rate_limits_are_waited_for(asks: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.client.batch.limit.PAUSES_S", (0.01, 0.02))
    seen: Counter[str] = Counter()

    def decide(asked: Any) -> Reply:
        text = str(asked.body["messages"])
        seen[text] += 1
        return Reply("fine") if seen[text] > 1 else Reply(status=429, headers={"retry-after": "0"})

    asks.decide = decide
    rows_of(*(f"p{n}" for n in range(10)))
    assert {one["text"] for one in batch()} == {"fine"}


def test_documents_are_judged_and_structured_answers_held_to_their_schema(asks: Wire) -> None:
    documents = [example.text for example in load(shipped("prompts", "library"))[:2]]
    rows_of(*({"document": text} for text in documents), {"document": "not a model"})
    assert main(["batch", "in.jsonl", "-o", "v.jsonl", "--operation", "validate"]) == 1
    found = [json.loads(line) for line in Path("v.jsonl").read_text().splitlines()]
    assert sorted(one["valid"] for one in found) == [False, True, True]
    assert asks.served.requests == 0
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    Path("schema.json").write_text(json.dumps(schema))
    asks.decide = lambda asked: Reply('{"n": 3}' if "good" in str(asked.body) else "no idea")
    rows_of({"prompt": "good"}, {"prompt": "bad", "refine": 0})
    given = ["batch", "in.jsonl", "-o", "s.jsonl", "--operation", "structured"]
    assert main(given) == 2
    assert main([*given, "--schema", "schema.json"]) == 1
    good, bad = sorted(
        (json.loads(line) for line in Path("s.jsonl").read_text().splitlines()),
        key=lambda one: one["line"],
    )
    assert good["value"] == {"n": 3}
    assert bad["error"]["kind"] == "InvalidOutputError"
    assert bad["error"]["answers"][bad["error"]["best"]]["text"] == "no idea"
    Path("schema.json").write_text('{"type": "object"}')
    assert main([*given, "--schema", "schema.json"]) == 2


def test_a_summary_is_printed_as_json(asks: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    rows_of("one", {"colour": 1})
    batch("--json", code=1)
    said = json.loads(capsys.readouterr().out)
    assert (said["rows"], said["done"], said["failed"], said["calls"]) == (2, 1, 1, 1)
    batch("--json", output="-", code=2)


def test_more_in_flight_than_the_configuration_allows_is_refused(
    asks: Wire, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_of("one")
    batch("--concurrency", "200")
    limited = configured(wire.base, "m", limits={"parallel": 3})
    for_commands(limited, tmp_path, monkeypatch)
    batch("--concurrency", "4", code=2)


async def test_a_program_sees_which_rows_are_shared_and_cost_nothing(wire: WireServer) -> None:
    wire.plan("m", "fine")
    async with Orchestrator(configured(wire.base, "m", cache={"mode": "off"})) as orc:
        found = [row.data async for row in orc.batch(["a", "a", "a"], operation="ask")]
    assert Counter(data.get("shared", False) for data in found) == {True: 2, False: 1}
    assert len({data["cost_usd"] for data in found if data["cost_usd"]}) == 1
    assert sum(data["calls"] for data in found) == 1


async def test_a_program_gets_its_rows_and_its_budget(wire: Wire, tmp_path: Path) -> None:
    wire.decide = lambda asked: Reply(f"answer to {asked.body['messages'][-1]['content']}")
    async with Orchestrator(configured(wire.base, "m", cache={"mode": "off"})) as orc:
        journal = tmp_path / "kept"
        found = [row async for row in orc.batch(["a", {"prompt": "b", "id": 7}],
                                                operation="ask", journal=journal)]  # fmt: skip
        assert {(row.line, row.id, row.data["text"]) for row in found} == {
            (1, None, "answer to a"), (2, 7, "answer to b"),
        }  # fmt: skip
        assert all(row.is_valid for row in found)
        again = [row async for row in orc.batch(["a"], operation="ask", journal=journal)]
        assert wire.served.requests == 2
        assert again[0].data["text"] == "answer to a"
        with pytest.raises(BudgetExceededError, match="left for this batch"):
            async for _ in orc.batch(["abc", *"abc"], operation="ask",
                                     budget="2calls"):  # fmt: skip
                pass
        assert wire.served.requests == 4
        with pytest.raises(TypeError, match="not one str"):
            await anext(orc.batch("one prompt"))
        with pytest.raises(TypeError, match="'colour' is not an argument"):
            await anext(orc.batch(["a"], colour="red"))


def test_blocking_code_gets_its_rows_too(wire: Wire) -> None:
    wire.decide = lambda asked: Reply("fine")
    with Orchestrator(configured(wire.base, "m")) as orc:
        assert [row.status for row in orc.sync.batch(["a", "b"], operation="ask")] == ["done"] * 2


def test_the_first_interrupt_finishes_what_is_in_flight_and_the_second_stops(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of(*(f"p{n}" for n in range(40)))
    go_on = threading.Event()

    def decide(asked: Any) -> Reply:
        if asks.served.requests == 4:
            os.kill(os.getpid(), 2)
        return Reply("fine", delay_s=0.3)

    asks.decide = decide
    found = batch("--concurrency", "4", code=130)
    assert 4 <= len(found) <= 8
    assert len(found) == asks.served.requests
    assert "Go on: orchestrator" in capsys.readouterr().err

    def twice(asked: Any) -> Reply:
        if not go_on.is_set():
            go_on.set()
            for _ in range(2):
                os.kill(os.getpid(), 2)
                threading.Event().wait(0.3)
        return Reply("fine", delay_s=30)

    asks.decide = twice
    assert len(batch("--concurrency", "4", code=130)) == len(found)
    asks.decide = lambda asked: Reply("fine")
    assert len(batch()) == 40


def started(*more: str, **options: Any) -> subprocess.Popen[bytes]:
    """A process of its own, which asks the embedded provider."""
    command = [sys.executable, "-m", "orchestrator", "batch", *more, "--provider", "offline"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, **options)


def test_rows_of_a_pipe_are_done_as_they_come_and_an_interrupt_ends_the_wait(
    asks: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORCHESTRATOR_CONFIG")
    process = started("-", "-o", "out.jsonl", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b'{"prompt": "a thermostat for a cold room"}\n')
    process.stdin.flush()
    until = time.monotonic() + 60
    while not (Path("out.jsonl").exists() and Path("out.jsonl").stat().st_size):
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(2)
    said = process.stderr.read() if process.stderr else b""
    assert process.wait(30) == 130, said
    assert b"Fatal" not in said
    assert b"Go on: orchestrator batch - --output out.jsonl" in said
    process.stdin.close()


def test_a_reader_that_has_enough_is_not_an_error(
    asks: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORCHESTRATOR_CONFIG")
    rows_of(*({"id": n, "prompt": "a thermostat for a cold room"} for n in range(3000)))
    process = started("in.jsonl", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert b'"status":"done"' in process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert b"cannot be written" not in process.stderr.read()
    assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("command", "url", "words"),
    [
        (["worker"], "", "ORCHESTRATOR_DATABASE"),
        (["worker"], "mysql://me:canary@host/name", "is not a PostgreSQL database with a name"),
        (["worker"], "postgresql://me:canary@host", "is not a PostgreSQL database with a name"),
        (["worker"], "postgresql://me:can:ary@host:x/name", "is not a URL of a database"),
        (["worker"], "postgresql://me:canary@/name?host=/nowhere", "it cannot be used"),
        (["batch"], "postgresql://me:canary@/name?host=/nowhere", "it cannot be used"),
    ],
)  # fmt: skip
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    command: list[str],
    url: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("dbos")
    monkeypatch.setenv("LLM_PROVIDER", "offline")
    monkeypatch.delenv("ORCHESTRATOR_DATABASE", raising=False)
    if command == ["batch"]:
        (tmp_path / "in.jsonl").write_text('"a lift"')
        command = ["batch", str(tmp_path / "in.jsonl"), "--engine", "dbos"]
    assert main([*command, "--database", url]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "can" not in said.replace("cannot", "")


@pytest.mark.parametrize("command", [["worker"], ["batch", "in.jsonl", "--engine", "dbos"]])
def test_without_the_extra_an_error_names_the_command_that_adds_it(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text('"a lift"')
    for name in ("database", "distant", "worker"):
        monkeypatch.delitem(sys.modules, f"orchestrator.client.batch.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "dbos", None)
    assert main([*command, "--database", "postgresql://host/name"]) == 2
    assert "[dbos]" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["", "directory", "/dev/null", "pipe"])
def test_an_output_that_is_not_a_file_is_refused_and_nothing_is_printed(
    asks: Wire, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    rows_of("one")
    Path("directory").mkdir()
    os.mkfifo("pipe")
    given = ["batch", "in.jsonl", "--operation", "ask", "-o", place]
    assert main(given) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "is not a file" in said.err
    assert asks.served.requests == 0


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl.gz", "out.Parquet", "out.tsv"])
def test_json_lines_are_not_written_into_a_file_of_another_kind(
    asks: Wire, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    rows_of("one")
    batch(output=name, code=2)
    assert "name a file that ends in .jsonl" in capsys.readouterr().err
    assert not Path(name).exists()
    assert asks.served.requests == 0


@pytest.mark.parametrize("name", ["", "-", "directory"])
def test_a_journal_that_is_not_a_file_is_refused_before_anything_is_paid(
    asks: Wire, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    rows_of("one")
    Path("directory").mkdir()
    batch("--journal", name, code=2)
    assert f"--journal {name!r} is not a file" in capsys.readouterr().err
    assert asks.served.requests == 0


def test_a_budget_whose_variable_is_empty_is_not_a_budget_without_end(asks: Wire) -> None:
    rows_of("one")
    batch("--budget", "", code=2)
    assert asks.served.requests == 0


def test_two_interrupts_stop_a_batch_that_ends_for_another_reason(
    asks: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_of("slow", "fast")

    def full(self: Any, lines: Any) -> None:
        for seconds in (1, 2):
            threading.Timer(seconds, os.kill, (os.getpid(), 2)).start()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(written_files.Output, "write", full)
    asks.decide = lambda asked: Reply("fine", delay_s=25 if "slow" in str(asked.body) else 0)
    began = time.monotonic()
    batch("--concurrency", "2", code=4)
    assert time.monotonic() - began < 20


def test_the_cost_that_is_shown_holds_rows_that_the_budget_broke_off(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    asks.decide = lambda asked: Reply("garbage")
    rows_of("a thermostat")
    assert main(["batch", "in.jsonl", "-o", "out.jsonl", "--budget", "2calls", "--json"]) == 5
    summary = json.loads(capsys.readouterr().out)
    assert summary["rows"] == 0
    assert summary["calls"] == asks.served.requests == 2
    assert main(["usage", "--json"]) == 0
    sums = json.loads(capsys.readouterr().out)["sums"]
    assert summary["cost_usd"] == pytest.approx(sum(one["usd"] for one in sums.values()))
    assert summary["cost_usd"] > 0


def test_numbers_that_json_does_not_have_never_reach_output_or_provider(asks: Wire) -> None:
    line = '{"id": 1e999, "prompt": "a"}\n{"prompt": "b", "temperature": -1e999}\n"c"\n'
    Path("in.jsonl").write_text(line)
    found = batch(code=1)
    assert sorted((one["line"], one["status"]) for one in found) == [
        (1, "failed"), (2, "failed"), (3, "done")
    ]  # fmt: skip
    assert "Infinity" not in Path("out.jsonl").read_text()
    assert asks.served.requests == 1


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_names_of_columns_in_another_encoding_are_refused_once(
    asks: Wire, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    Path("in.csv").write_bytes("gr\u00f6\u00dfe,prompt\n1,a\n2,b\n".encode(encoding))
    assert main(["batch", "in.csv", "-o", "out.jsonl", "--operation", "ask"]) == 2
    assert "UTF-8" in capsys.readouterr().err
    assert asks.served.requests == 0


@pytest.mark.parametrize(
    ("names", "operation", "words"),
    [
        ("id,Prompt", "ask", "needs a column 'prompt' or 'messages'; there are: 'id', 'Prompt'. "
                             "Rename 'Prompt' to 'prompt'."),
        ("id,promt", "generate", "needs a column 'prompt'; there are: 'id', 'promt'. "
                                 "Rename 'promt' to 'prompt'."),
        ("id,document", "refine", "needs a column 'feedback'; there are: 'id', 'document'."),
        ("id,text", "validate", "needs a column 'document'; there are: 'id', 'text'. Rename the"),
        (",", "ask", "there are: none."),
        (",".join(f"c{n}" for n in range(500)), "ask", "'c19' and 480 more."),
    ],
    ids=["case", "letter", "second", "other", "none", "many"],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_a_file_without_the_column_that_each_row_needs_is_refused_before_anything_is_written(
    asks: Wire, capsys: pytest.CaptureFixture[str], *,
    names: str, operation: str, words: str, suffix: str,
) -> None:  # fmt: skip
    place = Path(f"in.{suffix}")
    if suffix == "parquet":
        columns = [name for name in names.split(",") if name]
        pyarrow = pytest.importorskip("pyarrow")
        table = pyarrow.table({name: ["a"] for name in columns})
        pytest.importorskip("pyarrow.parquet").write_table(table, place)
    else:
        raw = f"{names}\n{'a,' * names.count(',')}a\n".encode()
        place.write_bytes(gzip.compress(raw) if suffix == "csv.gz" else raw)
    before = sorted(Path().iterdir())
    assert main(["batch", str(place), "-o", "out.jsonl", "--operation", operation, "--carry"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert str(place) in said
    assert sorted(Path().iterdir()) == before
    assert not asks.requests


def test_an_empty_csv_has_no_rows_and_one_with_messages_needs_no_prompt(asks: Wire) -> None:
    Path("in.csv").touch()
    given = ["batch", "in.csv", "-o", "out.jsonl", "--operation", "ask"]
    assert main(given) == 0
    assert Path("out.jsonl").read_text() == ""
    Path("in.csv").write_text('messages\n"[{""role"": ""user"", ""content"": ""one""}]"\n')
    assert main(given) == 0
    assert prompts(asks) == {"one": 1}


@pytest.mark.parametrize("cache", ["off", "use"])
def test_what_a_row_was_answered_before_the_budget_broke_it_off_is_not_paid_again(
    asks: Wire, cache: str
) -> None:
    asks.decide = lambda asked: Reply(f"garbage {len(asked.body['messages'])}")
    rows_of("a thermostat")
    command = ["batch", "in.jsonl", "-o", "out.jsonl", "--cache", cache, "--budget"]
    assert main([*command, "1calls"]) == 5
    assert len(asks.requests) == 1
    asks.decide = lambda asked: Reply(GOOD)
    assert main([*command, "9calls"]) == 0
    assert json.loads(Path("out.jsonl").read_text())["valid"]
    assert len(asks.requests) == 2
    assert "garbage" in json.dumps(asks.requests[1]["messages"]), "the first answer is given again"
    with sqlite3.connect("out.jsonl.journal") as journal:
        assert journal.execute("SELECT count(*) FROM paid").fetchone() == (0,)
        assert journal.execute("SELECT total(calls) FROM requests").fetchone() == (2,)


def test_an_outage_between_two_questions_does_not_make_the_first_paid_again(asks: Wire) -> None:
    def decide(asked: Any) -> Reply:
        is_first = "garbage" not in json.dumps(asked.body["messages"])
        return Reply("garbage") if is_first else Reply(status=401)

    asks.decide = decide
    rows_of("a thermostat")
    assert main(["batch", "in.jsonl", "-o", "out.jsonl"]) == 1
    asked = len(asks.requests)
    asks.decide = lambda asked: Reply(GOOD)
    assert main(["batch", "in.jsonl", "-o", "out.jsonl", "--retry-failed"]) == 0
    assert len(asks.requests) == asked + 1
    assert "garbage" in json.dumps(asks.requests[-1]["messages"])


def test_a_terminal_that_is_closed_lets_the_batch_finish_what_is_in_flight(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of(*(f"p{n}" for n in range(40)))

    def decide(asked: Any) -> Reply:
        if asks.served.requests == 4:
            for _ in range(2):  # a shell may pass on what the kernel sent already
                os.kill(os.getpid(), signal.SIGHUP)
                time.sleep(0.05)
        return Reply("fine", delay_s=0.3)

    asks.decide = decide
    before = signal.signal(signal.SIGHUP, lambda *_: pytest.fail("the signal ended the process"))
    try:
        found = batch("--concurrency", "4", code=130)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert 4 <= len(found) <= 8
    assert len(found) == asks.served.requests
    asks.decide = lambda asked: Reply("fine")
    assert len(batch()) == 40
    assert asks.served.requests == 40


def test_a_batch_that_was_started_with_nohup_goes_on(asks: Wire) -> None:
    rows_of(*(f"p{n}" for n in range(8)))

    def decide(asked: Any) -> Reply:
        os.kill(os.getpid(), signal.SIGHUP)
        return Reply("fine")

    asks.decide = decide
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert len(batch("--concurrency", "2")) == 8
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_disk_that_is_full_for_the_journal_loses_no_answer_that_the_output_can_hold(
    asks: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_of(*(f"p{n}" for n in range(100)))
    asks.decide = lambda asked: Reply("fine")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        found = batch("--concurrency", "4", code=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capsys.readouterr().err
    assert "the journal out.jsonl.journal cannot be used" in said
    assert "Make room, then go on: orchestrator batch" in said
    asked = asks.served.requests
    assert 0 < len(found) == asked < 100, "what was in flight is finished, and written"
    assert len(batch()) == 100
    assert asks.served.requests == 100, "nothing is paid twice"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_rows_that_neither_file_can_hold_are_printed_with_what_they_cost(
    asks: Wire, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    asks.decide = lambda asked: Reply("fine " * 200)
    rows_of(*(f"p{n}" for n in range(40)))
    batch()
    rows_of(*(f"p{n}" for n in range(100)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Less than the journal holds already, and room for one row of the output.
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path("out.jsonl").stat().st_size + 1500, hard))
    capsys.readouterr()
    try:
        written = batch("--concurrency", "4", *more, code=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capsys.readouterr()
    printed = [line for line in (said.err if more else said.out).splitlines() if line[:1] == "{"]
    assert "rows that are paid (0.0" in said.err
    assert printed
    # The journal may have taken some of the others.
    assert len(written) + len(printed) <= asks.served.requests < 100
    with Path("out.jsonl").open("a") as output:
        output.writelines(f"{line}\n" for line in printed)
    assert len(batch()) == 100
    assert asks.served.requests == 100, "nothing is paid twice"
