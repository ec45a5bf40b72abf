"""Every entry of `benchmarks/readings.json` gets its verdict; the repaired share does not fall."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.readings import RECORDED, repaired_share, wrong

FIGURES: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
ENTRIES: list[dict[str, Any]] = FIGURES["entries"]
KINDS = sorted({entry["kind"] for entry in ENTRIES})


@pytest.mark.parametrize("kind", KINDS)
def test_every_broken_answer_of_a_kind_gets_its_verdict(kind: str) -> None:
    entries = [entry for entry in ENTRIES if entry["kind"] == kind]
    faults = {entry["text"][:200]: fault for entry in entries if (fault := wrong(entry))}
    assert faults == {}


def test_the_share_that_is_repaired_without_a_call_does_not_fall() -> None:
    assert len(ENTRIES) >= 150
    assert repaired_share(ENTRIES) >= FIGURES["share"]
