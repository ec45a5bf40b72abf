"""Sums over the ledger, and the table and chart made of them."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import main
from orchestrator.ledger.usage import bars, since_of
from tests.support.adding import sums

Output = pytest.CaptureFixture[str]


def attempt(model: str, usd: float | None, outcome: str = "answered") -> dict[str, Any]:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "cached_tokens": 0}
    return {"model": model, "outcome": outcome, "cost_usd": usd, "usage": usage, "seconds": 0.5}


def line(at: str, operation: str, *wire: dict[str, Any], **rest: Any) -> dict[str, Any]:
    usual = {"route": "fast", "tenant": "b", "agent_type": "", "hits": 0}
    return {"at": f"{at}.000+00:00", "operation": operation, "wire": wire, **usual, **rest}


MINE = {"route": "default", "tenant": "a", "agent_type": "explorer"}
FAILED = attempt("small", None, "Timeout")
LINES = [
    line("2026-11-01T00:00:00", "generate_gmn", FAILED, attempt("small", 0.01), **MINE),
    line("2026-11-02T00:00:00", "acompletion", attempt("large", 0.5), attempt("small", 0.02)),
    line("2026-11-02T00:00:01", "acompletion", hits=1),
    line("2026-11-02T00:00:02", "late", attempt("odd", None)),
]


def test_sums_by_model_count_attempts_and_name_what_has_no_price() -> None:
    found = sums(LINES, "model")
    assert list(found) == ["large", "small", "odd", "(cache)"]
    small = found["small"]
    assert (small.requests, small.calls, small.failed) == (2, 3, 1)
    assert small.usd == pytest.approx(0.03)
    assert small.prompt_tokens == 300
    assert (found["odd"].unpriced, found["odd"].requests) == (1, 0)
    assert (found["(cache)"].hits, found["(cache)"].requests) == (1, 1)


def test_the_total_is_the_same_whatever_it_is_split_by() -> None:
    for by in ("model", "route", "agent_type", "tenant", "operation", "day"):
        found = sums(LINES, by)
        assert sum(entry.calls for entry in found.values()) == 5
        assert sum(entry.usd for entry in found.values()) == pytest.approx(0.53)
    assert sums(LINES, "tenant")["b"].requests == 2
    assert "(none)" in sums(LINES, "agent_type")


def test_times_are_read_as_people_write_them() -> None:
    now = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
    assert since_of("", now) == ""
    assert since_of("7d", now) == "2026-11-14T12:00:00.000+00:00"
    assert since_of("12h", now) == "2026-11-21T00:00:00.000+00:00"
    assert since_of("2026-11-01", now).startswith("2026-11-01T00:00")
    with pytest.raises(ValueError, match="write 7d"):
        since_of("yesterday", now)


def test_bars_are_as_long_as_their_values() -> None:
    assert bars({"a": 2.0, "bb": 1.0, "c": 0.0}, width=4) == ["a   ████", "bb  ██", "c"]
    assert bars({}) == []


def test_the_command_prints_a_table_and_a_chart(own_home: Path, capsys: Output) -> None:
    assert main(["usage"]) == 0
    assert "the ledger holds no request" in capsys.readouterr().out
    ledger = own_home / "cache" / "ledger"
    ledger.mkdir(parents=True)
    (ledger / "2026-11.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    assert main(["usage", "--by", "tenant"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == (
        ["tenant", "requests", "calls", "failed", "hits", "prompt", "answer", "USD", "p50"]
    )
    assert "0.5200 + 1 unpriced" in out
    assert "USD by tenant" in out
    assert "█" in out
    assert main(["usage", "--since", "2026-11-02", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sums"]["small"]["calls"] == 1
    assert main(["usage", "--since", "soon"]) == 2
