"""Rows whose first questions are bought in batches: what comes back, what it costs, what fails."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orchestrator import BudgetExceededError, ConfigError, LLMError, Orchestrator
from orchestrator.cli.main import main
from orchestrator.client.batch import provider_engine
from orchestrator.client.batch.call import BatchRow
from orchestrator.client.batch.purchases import Purchases
from orchestrator.config.paths import shipped
from orchestrator.gmn.examples import load
from orchestrator.routing.batches import results_in
from tests.support.wire import SECRET, Reply, configured, for_commands
from tests.wire.batch_server import BatchServer

pytestmark = pytest.mark.may_block
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture(scope="module")
def running() -> Iterator[BatchServer]:
    made = BatchServer()
    yield made
    made.stop()


@pytest.fixture
def server(running: BatchServer) -> BatchServer:
    running.clear()
    running.decide = lambda asked: Reply(f"answer to {asked.body['messages'][-1]['content']}")
    return running


def config(server: BatchServer, directory: Path, **settings: Any) -> dict[str, Any]:
    made: Any = configured(
        server.base, "m", ledger={"directory": str(directory / "ledger")},
        **{"cache": {"directory": str(directory / "cache")}, **settings},
    )  # fmt: skip
    half = {"input_cost_per_token_batches": 5e-7, "output_cost_per_token_batches": 1e-6}
    made["model_list"][0]["litellm_params"] |= half
    return dict(made)


async def bought(made: dict[str, Any], rows: int, **options: Any) -> list[BatchRow]:
    options = {"operation": "ask", "engine": "provider", **options}
    async with Orchestrator(made) as orc:
        says = options.pop("says", "p")
        prompts = [f"{says}{n}" for n in range(rows)]
        return [row async for row in orc.batch(prompts, **options)]


def ledger(directory: Path) -> list[dict[str, Any]]:
    lines = [path.read_text() for path in (directory / "ledger").glob("*.jsonl")]
    return [json.loads(line) for line in "".join(lines).splitlines()]


def of(operation: str, directory: Path) -> list[dict[str, Any]]:
    return [line for line in ledger(directory) if line["operation"] == operation]


async def test_every_row_has_the_answer_that_was_bought_for_it(
    server: BatchServer, tmp_path: Path
) -> None:
    rows = await bought(config(server, tmp_path), 7, batch_size=3)
    assert {row.line: row.data["text"] for row in rows} == {
        n + 1: f"answer to p{n}" for n in range(7)
    }
    assert server.calls["POST /batches"] == 3
    assert sum(server.paid.values()) == 7
    assert server.requests == []


async def test_it_costs_half_and_stands_in_the_ledger_once(
    server: BatchServer, tmp_path: Path
) -> None:
    live = await bought(config(server, tmp_path / "a"), 5, engine="live")
    half = await bought(config(server, tmp_path / "b"), 5)
    costs = [sum(row.data["cost_usd"] for row in rows) for rows in (live, half)]
    assert costs[1] == pytest.approx(costs[0] / 2)
    assert len(of("batch", tmp_path / "b")) == 1
    for name, cost in zip("ab", costs, strict=True):
        lines = ledger(tmp_path / name)
        assert sum(line["billed_usd"] for line in lines) == pytest.approx(cost)


async def test_no_secret_is_in_what_is_uploaded(server: BatchServer, tmp_path: Path) -> None:
    await bought(config(server, tmp_path), 1)
    (file,) = (raw for raw in server.files.values() if b"custom_id" in raw and b"method" in raw)
    body = json.loads(file)["body"]
    assert set(body) == {"model", "messages"}
    assert SECRET.encode() not in file


async def test_an_invalid_answer_is_the_history_of_the_live_question(
    server: BatchServer, tmp_path: Path
) -> None:
    def decide(asked: Any) -> Reply:
        is_live = len(asked.body["messages"]) > 1
        return Reply('{"n": 1}' if is_live or "p1" not in str(asked.body) else "nonsense")

    server.decide = decide
    rows = await bought(config(server, tmp_path), 3, operation="structured", contract=SCHEMA)
    assert [row.data["value"] for row in rows] == [{"n": 1}] * 3
    assert sum(server.paid.values()) == 3
    (live,) = server.requests
    assert live["messages"][1] == {"role": "assistant", "content": "nonsense"}
    assert Counter(row.data["calls"] for row in rows) == {1: 2, 2: 1}


async def test_what_was_answered_before_the_budget_broke_a_row_off_is_not_paid_again(
    server: BatchServer, tmp_path: Path
) -> None:
    server.decide = lambda asked: Reply("nonsense")
    made = config(server, tmp_path, cache={"mode": "off"})
    more = {"operation": "structured", "contract": SCHEMA}
    journal = tmp_path / "journal"
    with pytest.raises(BudgetExceededError):
        await bought(made, 1, journal=journal, budget="2calls", **more)
    assert (sum(server.paid.values()), len(server.requests)) == (1, 1)
    server.decide = lambda asked: Reply('{"n": 1}')
    (row,) = await bought(made, 1, journal=journal, budget="9calls", **more)
    assert row.data["value"] == {"n": 1}
    assert (sum(server.paid.values()), len(server.requests)) == (1, 2)
    assert "nonsense" not in json.dumps(server.requests[1]), "the loop is past the second answer"


async def test_a_mode_that_is_lost_meanwhile_wastes_no_answer(
    server: BatchServer, tmp_path: Path
) -> None:
    server.decide = lambda asked: Reply(
        "nonsense" if len(asked.body["messages"]) == 1 else '{"n": 1}'
    )
    made = config(server, tmp_path, generation={"mode": "json_schema"})
    rows = await bought(made, 30, operation="structured", contract=SCHEMA)
    assert all(row.is_valid for row in rows)
    assert len(server.requests) == 30  # each was repaired, none asked from the beginning
    assert all(len(one["messages"]) == 3 for one in server.requests)


async def test_documents_are_bought_too(server: BatchServer, tmp_path: Path) -> None:
    text = load(shipped("prompts", "library"))[0].text
    server.decide = lambda asked: Reply(text)
    rows = await bought(
        config(server, tmp_path), 2, operation="generate", says="a thermostat for a cold room "
    )
    assert all(row.is_valid for row in rows)
    assert sum(server.paid.values()) == 2
    assert server.requests == []


@pytest.mark.parametrize(
    ("spoil", "live"),
    [
        (lambda lines: list(reversed(lines)), 0),
        (lambda lines: [*lines, *lines], 0),
        (lambda lines: lines[:2], 2),
        (lambda lines: [lines[0][:40], *lines[1:]], 1),
        (lambda lines: ["", "null", "[]", '"x"', "{}", *lines], 0),
        (lambda lines: [*lines, lines[0].replace('"custom_id": "', '"custom_id": "x')], 0),
        (lambda lines: [lines[0].replace('"choices"', '"chosen"'), *lines[1:]], 1),
        (lambda lines: [], 4),
    ],
    ids=["order", "doubled", "missing", "broken", "not lines", "foreign", "no answer", "nothing"],
)  # fmt: skip
async def test_results_in_any_shape_give_each_row_its_answer(
    server: BatchServer,
    tmp_path: Path,
    spoil: Callable[[list[str]], list[str]],
    live: int,
) -> None:
    server.spoil = spoil
    rows = await bought(config(server, tmp_path), 4)
    assert {row.line: row.data["text"] for row in rows} == {
        n + 1: f"answer to p{n}" for n in range(4)
    }
    assert len(server.requests) == live


@pytest.mark.parametrize("end", ["expired", "cancelled"])
async def test_what_a_batch_did_not_answer_is_asked_live(
    server: BatchServer, tmp_path: Path, end: str
) -> None:
    server.ends = [end]
    rows = await bought(config(server, tmp_path), 6)
    assert {row.data["text"] for row in rows} == {f"answer to p{n}" for n in range(6)}
    assert (sum(server.paid.values()), len(server.requests)) == (3, 3)


async def test_a_line_that_was_refused_is_asked_live(server: BatchServer, tmp_path: Path) -> None:
    def decide(asked: Any) -> Reply:
        is_bad = "p1" in str(asked.body) and not server.requests
        return Reply(status=500) if is_bad else Reply("fine")

    server.decide = decide
    rows = await bought(config(server, tmp_path), 3)
    assert [row.data["text"] for row in rows] == ["fine"] * 3
    assert (sum(server.paid.values()), len(server.requests)) == (2, 1)


async def test_a_batch_that_failed_stops_it_and_is_bought_again(
    server: BatchServer, tmp_path: Path
) -> None:
    server.ends = ["failed", "completed"]
    made, journal = config(server, tmp_path), tmp_path / "journal"
    with pytest.raises(LLMError, match=r"refused the batch batch_\d+.*the file is not valid"):
        await bought(made, 3, journal=journal)
    assert server.requests == []
    rows = await bought(made, 3, journal=journal)
    assert len(rows) == 3
    assert sum(server.paid.values()) == 3
    assert of("batch", tmp_path)[0]["billed_usd"] == 0


@pytest.mark.parametrize("status", [404, 405])
async def test_a_provider_without_batches_is_refused_before_anything_is_paid(
    server: BatchServer, tmp_path: Path, status: int
) -> None:
    server.refused = status
    with pytest.raises(ConfigError, match=r"no batch endpoints.*Leave out the engine"):
        await bought(config(server, tmp_path), 3)
    assert (server.requests, sum(server.paid.values())) == ([], 0)


async def test_a_route_to_another_kind_of_provider_is_refused(
    server: BatchServer, tmp_path: Path
) -> None:
    made = config(server, tmp_path)
    elsewhere = {"model": "ollama_chat/m", "api_base": server.root}
    made["model_list"].append({"model_name": "other", "litellm_params": elsewhere})
    with pytest.raises(ConfigError, match="the route other has no batch endpoints"):
        await bought(made, 1, model="other")
    with pytest.raises(ConfigError, match="asks no model"):
        await bought(config(server, tmp_path), 1, operation="validate")


async def test_a_refused_key_stops_it(server: BatchServer, tmp_path: Path) -> None:
    server.refused = 401
    with pytest.raises(LLMError, match="key") as found:
        await bought(config(server, tmp_path), 3)
    assert SECRET not in str(found.value)


@pytest.mark.parametrize("fault", [500, 0])
async def test_a_file_that_the_provider_does_not_take_at_once_is_sent_again(
    server: BatchServer, tmp_path: Path, fault: int
) -> None:
    server.faults["POST /files"] = [fault] * 2
    assert len(await bought(config(server, tmp_path), 4)) == 4
    assert server.calls["POST /batches"] == 1
    assert set(server.paid.values()) == {1}


async def test_a_file_that_is_refused_is_sent_once(server: BatchServer, tmp_path: Path) -> None:
    server.faults["POST /files"] = [413] * 9
    with pytest.raises(LLMError):
        await bought(config(server, tmp_path), 4)
    assert server.calls["POST /files"] == 1
    assert server.calls["POST /batches"] == 0


async def test_a_purchase_at_a_rate_limit_is_made_later_and_once(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_engine, "Purchases", partial(Purchases, pause_s=0.01))
    server.faults["POST /batches"] = [429] * 3
    assert len(await bought(config(server, tmp_path), 4)) == 4
    assert server.calls["POST /batches"] == 4
    assert server.calls["GET /batches"] == 0
    assert set(server.paid.values()) == {1}


async def test_a_rate_limit_that_does_not_end_ends_the_batch(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_engine, "Purchases", partial(Purchases, pause_s=0.01))
    server.faults["POST /batches"] = [429] * 99
    with pytest.raises(LLMError):
        await bought(config(server, tmp_path), 4)
    assert server.calls["POST /batches"] == 11
    assert not server.paid


@pytest.mark.parametrize("fault", [500, 0])
async def test_a_purchase_whose_answer_was_lost_is_found_not_repeated(
    server: BatchServer, tmp_path: Path, fault: int
) -> None:
    server.faults = {"POST /batches": [fault] * 2, "GET /batches": [500] * 4}
    rows = await bought(config(server, tmp_path), 4)
    assert len(rows) == 4
    assert server.calls["POST /batches"] == 1
    assert set(server.paid.values()) == {1}


async def test_a_purchase_that_cannot_be_looked_for_is_not_repeated_by_the_next_run(
    server: BatchServer, tmp_path: Path
) -> None:
    made, journal = config(server, tmp_path), tmp_path / "journal"
    server.faults = {"POST /batches": [500], "GET /batches": [403]}
    with pytest.raises(LLMError):
        await bought(made, 4, journal=journal)
    server.faults.clear()
    assert len(await bought(made, 4, journal=journal)) == 4
    assert server.calls["POST /batches"] == 1
    assert set(server.paid.values()) == {1}


async def test_a_poll_that_fails_is_tried_again(server: BatchServer, tmp_path: Path) -> None:
    server.faults["GET /batches/{id}"] = [500, 500, 500]
    assert len(await bought(config(server, tmp_path), 2)) == 2
    assert server.calls["GET /files/{id}/content"] == 1


async def test_results_that_cannot_be_read_at_once_are_read_later(
    server: BatchServer, tmp_path: Path
) -> None:
    server.faults["GET /files/{id}/content"] = [500, 429]
    assert len(await bought(config(server, tmp_path), 2)) == 2
    assert server.calls["GET /files/{id}/content"] == 3


async def test_a_finished_batch_is_read_once_however_often_it_was_asked(
    server: BatchServer, tmp_path: Path
) -> None:
    server.polls = 3
    await bought(config(server, tmp_path), 2)
    assert server.calls["GET /batches/{id}"] == 3
    assert server.calls["GET /files/{id}/content"] == 1


async def test_a_budget_holds_the_worst_case_before_a_file_is_sent(
    server: BatchServer, tmp_path: Path
) -> None:
    made = config(server, tmp_path)
    with pytest.raises(BudgetExceededError):
        await bought(made, 20, budget="0.00001usd")
    assert server.calls["POST /files"] == 0
    journal = tmp_path / "journal"
    with pytest.raises(BudgetExceededError):
        await bought(made, 20, budget="5calls", journal=journal)
    assert sum(server.paid.values()) == 5
    assert len(await bought(made, 20, budget="20calls", journal=journal)) == 20
    assert set(server.paid.values()) == {1}
    assert len(server.paid) == 20


async def test_the_budget_of_a_day_holds_for_files(server: BatchServer, tmp_path: Path) -> None:
    made = config(server, tmp_path, budgets={"usd_per_day": 0.000001})
    with pytest.raises(BudgetExceededError):
        await bought(made, 4)
    assert server.calls["POST /batches"] == 0


async def test_equal_rows_are_bought_once(server: BatchServer, tmp_path: Path) -> None:
    async with Orchestrator(config(server, tmp_path)) as orc:
        prompts = ["same"] * 5
        rows = [row async for row in orc.batch(prompts, operation="ask", engine="provider")]
    assert [row.data["text"] for row in rows] == ["answer to same"] * 5
    assert sum(server.paid.values()) == 1


async def test_rows_that_failed_are_bought_again(server: BatchServer, tmp_path: Path) -> None:
    made, journal = config(server, tmp_path, cache={"mode": "off"}), tmp_path / "journal"
    server.decide = lambda asked: Reply("nonsense")
    options: Any = {"operation": "structured", "contract": SCHEMA, "journal": journal}
    rows = await bought(made, 2, **options)
    assert [row.status for row in rows] == ["failed"] * 2
    server.decide = lambda asked: Reply('{"n": 1}')
    rows = await bought(made, 2, retry_failed=True, **options)
    assert [row.status for row in rows] == ["done"] * 2
    assert sum(server.paid.values()) == 4


async def test_an_answer_in_the_cache_is_not_bought(server: BatchServer, tmp_path: Path) -> None:
    made = config(server, tmp_path)
    await bought(made, 2, engine="live")
    rows = await bought(made, 3)
    assert len(rows) == 3
    assert sum(server.paid.values()) == 1


def command(server: BatchServer, tmp_path: Path, patch: pytest.MonkeyPatch, *more: str) -> int:
    for_commands(config(server, tmp_path), tmp_path, patch)
    source = tmp_path / "in.jsonl"
    source.write_text("".join(f'"p{n}"\n' for n in range(3)))
    given = [str(source), "-o", str(tmp_path / "out.jsonl"), "--operation", "ask", *more]
    return main(["batch", *given, "--engine", "provider"])


def interrupted(server: BatchServer, tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    """Run the command until its batch is bought, and interrupt it."""
    server.polls = 10**6

    def asks(name: str) -> None:
        if name == "GET /batches/{id}" and server.calls[name] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    server.asks = asks
    assert command(server, tmp_path, patch) == 130


def test_rows_whose_answers_are_bought_are_not_asked_live_as_well(
    server: BatchServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(server, tmp_path, monkeypatch)
    live = ["batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl")]
    capsys.readouterr()
    assert main([*live, "--operation", "ask"]) == 2
    assert "answers to 3 of its requests are bought" in capsys.readouterr().err
    assert server.requests == []
    server.end_batches()
    assert command(server, tmp_path, monkeypatch) == 0
    assert main([*live, "--operation", "ask"]) == 0
    assert (sum(server.paid.values()), server.requests) == (3, [])


def test_what_was_bought_for_rows_that_are_gone_is_billed(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(server, tmp_path, monkeypatch)
    server.end_batches()
    (tmp_path / "empty.jsonl").write_text("")
    given = [str(tmp_path / "empty.jsonl"), "-o", str(tmp_path / "out.jsonl")]
    assert main(["batch", *given, "--operation", "ask", "--engine", "provider"]) == 0
    assert server.calls["GET /files/{id}/content"] == 1
    assert [line["outcome"] for line in of("batch", tmp_path)][-1] == "answered"


def test_an_interrupt_leaves_the_batch_running_and_says_how_to_fetch_it(
    server: BatchServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(server, tmp_path, monkeypatch)
    said = capsys.readouterr().err
    assert "1 batches go on at the provider (batch_" in said
    assert "--engine provider" in said
    server.end_batches()
    assert command(server, tmp_path, monkeypatch) == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").open()]
    assert sorted(one["text"] for one in lines) == [f"answer to p{n}" for n in range(3)]
    assert (sum(server.paid.values()), server.requests) == (3, [])


def test_an_interrupt_ends_the_wait_for_a_provider_that_takes_no_file(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults["POST /files"] = [500] * 10**6

    def asks(name: str) -> None:
        if server.calls[name] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    server.asks = asks
    assert command(server, tmp_path, monkeypatch) != 0
    assert server.calls["POST /batches"] == 0
    server.faults.clear()
    assert command(server, tmp_path, monkeypatch) == 0
    assert (sum(server.paid.values()), server.requests) == (3, [])


def test_options_that_do_not_go_together_are_refused(
    server: BatchServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(server, tmp_path, monkeypatch, "--concurrency", "3") == 2
    assert "use --batch-size" in capsys.readouterr().err
    assert command(server, tmp_path, monkeypatch, "--batch-size", "60000") == 2
    server.refused = 404
    assert command(server, tmp_path, monkeypatch) == 2
    assert "Leave out the engine" in capsys.readouterr().err
    assert server.calls["POST /batches"] == 0


def test_only_whole_answers_are_read_from_results() -> None:
    assert results_in(b"\xff\n{\n" + b"[" * 10_000 + b"\n") == {}
